"""Own the tests of the analysis, and what they share."""
