"""Hold the import of logs."""
