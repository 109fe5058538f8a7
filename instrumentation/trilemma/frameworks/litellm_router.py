"""Record what LiteLLM decides: the fallbacks of a router or of a call, and which of a group's deployments is used."""

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from importlib import import_module
from typing import Any

from opentelemetry.context import get_current

from trilemma import guard
from trilemma.decisions.decision import CHOSEN, REASON, decide
from trilemma.decisions.fallback import CANDIDATES
from trilemma.engine import is_suppressed
from trilemma.frameworks.fallbacks import Chain, attempted, chained, open_chain
from trilemma.patching import Patches

__all__ = ["patch_fallbacks"]

_FALLBACKS = ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks")

_is_picking: ContextVar[bool] = ContextVar("trilemma_litellm_is_picking", default=False)


def patch_fallbacks(patches: Patches) -> None:
    """Wrap the router's chain and picks, and the chain of ``completion(fallbacks=[...])``."""
    router = import_module("litellm.router").Router
    patches.wrap(router, "async_function_with_fallbacks", partial(chained, start=_start_router))
    patches.wrap(router, "async_function_with_retries", partial(attempted, find_option=_find_group))
    patches.wrap(router, "async_get_available_deployment", _pick_async)
    patches.wrap(router, "get_available_deployment", _pick)
    calls = import_module("litellm.litellm_core_utils.fallback_utils")
    for module in (calls, import_module("litellm.main")):
        patches.wrap(module, "async_completion_with_fallbacks", partial(chained, start=_start_completion))
    patches.wrap(calls, "litellm", _Calls)


class _Calls:
    """Be `litellm` to the module that runs the chain of ``completion(fallbacks=[...])``: its calls are the attempts."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self._acompletion = attempted(self._ask, _find_model)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)

    def acompletion(self, **kwargs: Any) -> Any:
        return self._acompletion(**kwargs)

    async def _ask(self, **kwargs: Any) -> Any:
        return await self._module.acompletion(**kwargs)


def _start_router(router: Any, /, *_: Any, **kwargs: Any) -> Chain | None:
    group = kwargs.get("model")
    chains = [kwargs.get(name, getattr(router, name, None)) for name in _FALLBACKS]
    # What falls back is called in the same way; its depth tells that it is part of a chain.
    if not any(chains) or not isinstance(group, str) or kwargs.get("fallback_depth") or kwargs.get("disable_fallbacks"):
        return None
    options = [group, *(_name(target, group) for chain in chains if chain for target in _find_targets(chain, group))]
    return open_chain(group, list(dict.fromkeys(options)), "litellm")


def _find_targets(chain: list[Any], group: str) -> list[Any]:
    """Return what LiteLLM falls back to: a request names it plainly, a router for each group, or for all."""
    handlers = import_module("litellm.router_utils.fallback_event_handlers")
    if handlers._check_non_standard_fallback_format(fallbacks=chain):  # noqa: SLF001  # LiteLLM's own reading of it
        return chain
    return handlers.get_fallback_model_group(fallbacks=chain, model_group=group)[0] or []


def _find_group(*_: Any, **kwargs: Any) -> str | None:
    group = kwargs.get("model")
    return group if isinstance(group, str) else None


def _start_completion(**kwargs: Any) -> Chain | None:
    model = kwargs["model"]
    fallbacks = (kwargs.get("kwargs") or {}).get("fallbacks") or []
    return open_chain(model, [model, *(_name(target, model) for target in fallbacks)], "litellm")


def _find_model(**kwargs: Any) -> str:
    return str(kwargs["model"])


def _name(target: Any, model: str) -> str:
    """Return the model of a fallback, which may be a name or parameters."""
    return str(target.get("model", model) if isinstance(target, dict) else target)


def _pick(original: Callable[..., Any]) -> Callable[..., Any]:
    def get_available_deployment(self: Any, *args: Any, **kwargs: Any) -> Any:
        deployment = original(self, *args, **kwargs)
        if not _is_picking.get():
            _record_pick(self, deployment)
        return deployment

    return get_available_deployment


def _pick_async(original: Callable[..., Any]) -> Callable[..., Any]:
    async def async_get_available_deployment(self: Any, *args: Any, **kwargs: Any) -> Any:
        token = _is_picking.set(True)  # for some strategies it asks the sync one
        try:
            deployment = await original(self, *args, **kwargs)
        finally:
            _is_picking.reset(token)
        _record_pick(self, deployment)
        return deployment

    return async_get_available_deployment


@guard.guarded
def _record_pick(router: Any, deployment: Any) -> None:
    """Record which deployment of a group of several was picked; how likely it was LiteLLM does not tell."""
    group = deployment.get("model_name") if isinstance(deployment, dict) else None
    places = getattr(router, "model_name_to_deployment_indices", {}).get(group) or ()
    if len(places) < 2 or is_suppressed(get_current()):
        return
    names = dict(_name_deployments([router.model_list[place] for place in places]))
    if len(names) < 2:  # the same one twice
        return
    strategy = router.routing_strategy
    facts = {
        CANDIDATES: list(names.values()),
        CHOSEN: names[deployment["model_info"]["id"]],
        REASON: str(getattr(strategy, "value", strategy)),
    }
    decide("route", str(group), facts)


def _name_deployments(deployments: list[Any]) -> Iterator[tuple[str, str]]:
    """Give the name of each by its id: its model, or the id where others have the same model."""
    models = [str(deployment["litellm_params"]["model"]) for deployment in deployments]
    for model, deployment in zip(models, deployments, strict=True):
        identity = str(deployment["model_info"]["id"])
        yield identity, model if models.count(model) == 1 else identity
