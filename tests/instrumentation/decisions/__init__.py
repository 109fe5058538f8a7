"""Hold the API of decisions."""
