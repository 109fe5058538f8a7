"""Own the demo: a provider emulator, a support app that calls it, and the truths planted in both."""
