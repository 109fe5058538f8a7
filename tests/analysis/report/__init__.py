"""Own the tests of the report, from rows to bytes."""
