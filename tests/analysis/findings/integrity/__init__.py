"""Hold the findings about the data itself."""
