"""Own the tests of the findings, on planted truths and on nothing at all."""
