"""Hold what faults on real sockets leave on the span."""
