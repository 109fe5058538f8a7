"""Own the provider emulator: OpenAI's and Anthropic's HTTP APIs on loopback, with planted behaviour."""
