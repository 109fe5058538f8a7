"""Own the list of providers: SDK import name to the module that describes it, imported only when the SDK is."""

from importlib import import_module

from trilemma.providers.spec import Provider

__all__ = ["ALSO_IMPORTED_AS", "PROVIDERS", "VERSIONS", "load_provider"]

PROVIDERS = {
    "anthropic": "trilemma.providers.anthropic",
    "google.genai": "trilemma.providers.google_genai",
    "openai": "trilemma.providers.openai",
}

# What is imported of an SDK whose package has no code of its own, and so no import that can be seen.
ALSO_IMPORTED_AS = {"mistralai": ("mistralai.client",)}

# The oldest and the newest release of each SDK that the provider tests pass on (tests/constraints-oldest.txt and
# tests/constraints.txt). The oldest openai is the first with the choke point that is patched; the oldest anthropic is
# the first with a stable Messages API.
VERSIONS = {
    "anthropic": ("0.16.0", "2.12.0"),
    "openai": ("1.0.0", "3.54.0"),
}


def load_provider(name: str) -> Provider:
    """Import and return the description of the provider `name` (a key of PROVIDERS)."""
    provider: Provider = import_module(PROVIDERS[name]).PROVIDER
    return provider
