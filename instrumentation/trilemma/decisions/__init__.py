"""Hold the decisions of a task as data, one module per kind; each is a span (decision.py)."""
