"""Hold the pictures."""
