"""Own what comes in by OTLP, over HTTP and gRPC: checked, written ahead, then acknowledged."""
