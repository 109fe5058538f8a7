"""Turn every LLM call into a span that says what it cost, how long it took, and which task it served."""
