"""Own the demo's support app, written as a user of trilemma would write it."""
