"""Hold that every decision an app makes is a row, exactly once, with what became of it."""
