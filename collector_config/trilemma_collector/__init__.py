"""Own what stands between an OTLP source and ClickHouse: the schema, its migrations, the embedded collector."""
