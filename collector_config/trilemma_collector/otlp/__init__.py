"""Own OTLP as a format: its messages, its JSON form, its replies, and the text form of its values."""
