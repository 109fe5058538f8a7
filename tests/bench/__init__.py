"""Own the benchmarks: overhead of a call, speed of the receiver, size and speed of the store."""
