"""Score our spans against recorded provider traffic: `python -m tests.wire_score FILE.jsonl.gz`."""
