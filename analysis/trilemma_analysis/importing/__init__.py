"""Own the import of logs: a mapping file says what a row means, and each row becomes spans in the store."""
