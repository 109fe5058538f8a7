"""Own switching the instrumentation on and off: which provider SDKs are patched, and when."""

import sys
from collections.abc import Iterable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

from trilemma import guard
from trilemma.engine import Clock, Engine
from trilemma.errors import ProviderNotFoundError
from trilemma.frameworks import FRAMEWORKS
from trilemma.frameworks import patch as patch_framework
from trilemma.imports import call_when_imported
from trilemma.patching import Patches
from trilemma.providers import ALSO_IMPORTED_AS, FIRST_NEEDED, PROVIDERS, load_provider
from trilemma.telemetry import find_providers

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

__all__ = ["instrument", "uninstrument"]

_engine: Engine | None = None
_given = False  # whether a provider was given that uninstrument must forget
_patches = Patches()
_wanted: set[str] = set()
_patched: set[str] = set()
_hooked: set[tuple[str, str]] = set()


def instrument(
    providers: Iterable[str] | None = None,
    *,
    tracer_provider: "TracerProvider | None" = None,
    meter_provider: "MeterProvider | None" = None,
    logger_provider: "LoggerProvider | None" = None,
    clock: Clock | None = None,
) -> None:
    """Make every call to an LLM provider a span, from now on; instrumenting twice does nothing more.

    `providers` are names out of `trilemma.providers.PROVIDERS` and `trilemma.frameworks.FRAMEWORKS`; without it, all.
    What is imported later is patched then. Raises ProviderNotFoundError for a name that is unknown or not installed.
    """
    global _engine, _given  # noqa: PLW0603  # a process is instrumented once
    names = _check_names(providers)
    if _engine is None:
        if tracer_provider is not None or logger_provider is not None:
            _given = True
            find_providers(
                None if tracer_provider is None else lambda: tracer_provider,
                None if logger_provider is None else lambda: logger_provider,
            )
        _engine = Engine(clock, tracer_provider, meter_provider)
    _wanted.update(names)
    for name in names:
        for module in FRAMEWORKS.get(name) or (FIRST_NEEDED.get(name, name), *ALSO_IMPORTED_AS.get(name, ())):
            _patch_when_imported(name, module)


def uninstrument() -> None:
    """Restore every SDK exactly; streams being read still end their spans."""
    global _engine, _given  # noqa: PLW0603  # see instrument
    _patches.restore()
    if _given:
        _given = False
        find_providers()
    _wanted.clear()
    _patched.clear()
    _engine = None


def _check_names(providers: Iterable[str] | None) -> list[str]:
    if providers is None:
        return [*PROVIDERS, *FRAMEWORKS]
    names = [providers] if isinstance(providers, str) else list(providers)
    for name in names:
        if name not in PROVIDERS and name not in FRAMEWORKS:
            known = ", ".join(sorted([*PROVIDERS, *FRAMEWORKS]))
            raise ProviderNotFoundError(f"unknown provider {name!r}; known are {known}")
        package = FRAMEWORKS[name][0].partition(".")[0] if name in FRAMEWORKS else name
        if package not in sys.modules and not _is_installed(package):
            wanted = name.replace(".", "-")
            raise ProviderNotFoundError(
                f"provider {name!r} needs its SDK, which is not installed: pip install {wanted}"
            )
    return names


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # what it is in ("google") is not there either
        return False


def _patch_when_imported(name: str, module: str) -> None:
    if module in sys.modules:
        _patch(name, sys.modules[module])
    elif (name, module) not in _hooked:
        _hooked.add((name, module))
        call_when_imported(module, partial(_patch, name))


@guard.guarded
def _patch(name: str, module: ModuleType) -> None:
    """Patch the SDK `name`, or the imported `module` of the framework `name`."""
    patched = module.__name__ if name in FRAMEWORKS else name
    if _engine is None or name not in _wanted or patched in _patched:
        return
    _patched.add(patched)
    if name in FRAMEWORKS:
        patch_framework(name, module, _engine, _patches)
        return
    provider = load_provider(name)
    sdk = sys.modules[name]
    import_module(f"trilemma.transports.{provider.transport}").patch(provider, sdk, _engine, _patches)
