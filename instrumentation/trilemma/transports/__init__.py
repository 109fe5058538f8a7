"""Hold one module per kind of choke point an SDK has: each with ``patch(provider, sdk, engine, patches)``."""
