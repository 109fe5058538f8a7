"""Own the list of providers: SDK import name to the module that describes it, imported only when the SDK is."""

from importlib import import_module

from trilemma.providers.spec import Provider

__all__ = ["ALSO_IMPORTED_AS", "FIRST_NEEDED", "PROVIDERS", "VERSIONS", "load_provider"]

PROVIDERS = {
    "aiobotocore": "trilemma.providers.bedrock",
    "anthropic": "trilemma.providers.anthropic",
    "botocore": "trilemma.providers.bedrock",
    "cohere": "trilemma.providers.cohere",
    "google.genai": "trilemma.providers.google_genai",
    "groq": "trilemma.providers.groq",
    "huggingface_hub": "trilemma.providers.huggingface_hub",
    "mistralai": "trilemma.providers.mistralai",
    "ollama": "trilemma.providers.ollama",
    "openai": "trilemma.providers.openai",
    "replicate": "trilemma.providers.replicate",
    "together": "trilemma.providers.together",
}

# What is imported of an SDK whose package has no code of its own, and so no import that can be seen.
ALSO_IMPORTED_AS = {"mistralai": ("mistralai.client",)}

# What is waited for instead, where an app may import the SDK's package for other things: it brings in all of the SDK.
FIRST_NEEDED = {"aiobotocore": "aiobotocore.client", "botocore": "botocore.client"}

# The oldest and the newest release of each SDK that the provider tests pass on (tests/constraints-oldest.txt and
# tests/constraints.txt; aiobotocore holds botocore back, so that its newest is in tests/constraints-frameworks.txt).
# The oldest openai is the first with the choke point that is patched; the oldest anthropic is the first with a stable
# Messages API; the oldest botocore is the first with Bedrock, the oldest aiobotocore the first that takes it.
VERSIONS = {
    "aiobotocore": ("2.7.0", "2.25.1"),
    "anthropic": ("0.16.0", "2.12.0"),
    "botocore": ("1.31.57", "1.44.5"),
    "cohere": ("5.0.0", "7.3.1"),
    "google.genai": ("1.0.0", "3.4.0"),
    "groq": ("0.4.0", "1.7.0"),
    "huggingface_hub": ("1.0.0", "2.4.0"),
    "mistralai": ("1.1.0", "3.7.0"),
    "ollama": ("0.2.0", "0.6.3"),
    "openai": ("1.0.0", "3.54.0"),
    "replicate": ("0.18.0", "1.0.7"),
    "together": ("2.0.0", "3.1.1"),
}


def load_provider(name: str) -> Provider:
    """Import and return the description of the provider `name` (a key of PROVIDERS)."""
    provider: Provider = import_module(PROVIDERS[name]).PROVIDER
    return provider
