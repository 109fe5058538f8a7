"""Own the list of providers: SDK import name to the module that describes it, imported only when the SDK is."""

from importlib import import_module

from trilemma.providers.spec import Provider

__all__ = ["PROVIDERS", "load_provider"]

PROVIDERS = {
    "openai": "trilemma.providers.openai",
    "anthropic": "trilemma.providers.anthropic",
}


def load_provider(name: str) -> Provider:
    """Import and return the description of the provider `name` (a key of PROVIDERS)."""
    provider: Provider = import_module(PROVIDERS[name]).PROVIDER
    return provider
