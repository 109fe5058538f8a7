"""Own what findings are made from: what several of them share, and what one of them works out before it reports."""
