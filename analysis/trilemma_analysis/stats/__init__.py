"""Own the statistics: plain arrays in, frozen results out, no ClickHouse inside; each method proved by simulation."""
