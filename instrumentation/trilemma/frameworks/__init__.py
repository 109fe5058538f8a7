"""Own the list of frameworks: the modules whose functions get spans as soon as they are imported, and by whom."""

from importlib import import_module
from types import ModuleType

from trilemma.engine import Engine
from trilemma.patching import Patches

__all__ = ["FRAMEWORKS", "VERSIONS", "patch"]

# A framework to the modules that are patched as soon as they are imported. The first part of the first one is the
# package that must be installed.
FRAMEWORKS: dict[str, tuple[str, ...]] = {
    "langchain": (
        "langchain_core.language_models.chat_models",
        "langchain_core.language_models.llms",
        "langchain_core.retrievers",
        "langchain_core.runnables.base",
        "langchain_core.runnables.fallbacks",
        "langchain_core.tools.base",
        "langgraph.pregel.main",
    ),
    "litellm": ("litellm",),
    "llama_index": ("llama_index_instrumentation.dispatcher", "workflows.workflow"),
    "mcp": ("mcp.client.session", "mcp.shared._otel"),
    "openai_agents": ("agents.tracing.provider",),
    "pydantic_ai": ("pydantic_ai.agent", "pydantic_ai.tool_manager"),
}

# What each is tested with (tests/constraints-frameworks.txt, tests/constraints-frameworks-openai2.txt).
VERSIONS = {
    "langchain": ("langchain 1.4.7", "langchain-core 1.7.2", "langgraph 1.2.22"),
    "litellm": ("litellm 1.106.2",),
    "llama_index": ("llama-index-core 0.14.25", "llama-index-workflows 2.26.1"),
    "mcp": ("mcp 2.3.0",),
    "openai_agents": ("openai-agents 0.24.0",),
    "pydantic_ai": ("pydantic-ai-slim 2.68.0",),
}


def patch(framework: str, module: ModuleType, engine: Engine, patches: Patches) -> None:
    """Give the functions of the imported `module` of `framework` their spans."""
    import_module("trilemma.frameworks.calls").watch(engine)
    import_module(f"trilemma.frameworks.{framework}").patch(module, engine, patches)
