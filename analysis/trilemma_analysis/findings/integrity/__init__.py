"""Own the findings about the data itself: what must be known before any advice is believed."""
