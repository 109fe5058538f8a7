"""Hold the notebooks."""
