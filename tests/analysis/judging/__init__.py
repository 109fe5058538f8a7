"""Hold the judging of stored runs."""
