"""Own the tests of the store client and the SQL questions."""
