"""Hold the schema to its rules, on the embedded engine."""
