"""Own the policy as LiteLLM's configuration: a task is a model name; routes, fallbacks, caches and limits follow.

An app asks for `model="support.refund"`, and LiteLLM's router or proxy sends it where the policy says. What LiteLLM
cannot do (another prompt, a cascade by an answer's quality, a guardrail) is named with its finding, for the app to do.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trilemma_analysis.loop.policy import Policy, Rule

__all__ = ["LiteLLMConfig", "to_litellm"]

CALL_TYPES = ["completion", "acompletion", "embedding", "aembedding"]


@dataclass
class LiteLLMConfig:
    """The configuration, and what of the policy is not in it, each with the reason."""

    providers: Mapping[str, str]
    model_list: list[dict[str, Any]] = field(default_factory=list)
    fallbacks: list[dict[str, list[str]]] = field(default_factory=list)
    has_cache: bool = False
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it as LiteLLM's config.yaml has it."""
        config: dict[str, Any] = {"model_list": self.model_list}
        if self.fallbacks:
            config["router_settings"] = {"fallbacks": self.fallbacks}
        if self.has_cache:
            # Off unless a deployment asks for it: only the tasks whose cache was advised use it.
            params = {"type": "local", "mode": "default_off", "supported_call_types": CALL_TYPES}
            config["litellm_settings"] = {"cache": True, "cache_params": params}
        return config


def to_litellm(policy: Policy, providers: Mapping[str, str]) -> LiteLLMConfig:
    """Return a policy as LiteLLM's configuration.

    Args:
        policy: the rules.
        providers: who serves each model, by the semantic conventions' names.
    """
    config = LiteLLMConfig(providers)
    by_task: dict[str, list[Rule]] = {}
    for rule in policy.rules:
        by_task.setdefault(rule.task, []).append(rule)
    for task, rules in by_task.items():
        _add_task(config, task, rules)
    config.notes += [f"{one.finding_id}: left out, {one.why}" for one in policy.left_out]
    return config


def _add_task(config: LiteLLMConfig, task: str, rules: list[Rule]) -> None:
    """Add a task's deployments: the model of its route, else the one that serves it, and what rules say of it."""
    params: dict[str, Any] = {}
    evidence: list[str] = []
    model, chain = _find_model(rules), list[str]()
    for rule in rules:
        if rule.action.kind == "segment_route":
            _add_segments(config, rule)
            continue
        found = _read_rule(rule)
        if found is None or model is None:
            why = "LiteLLM has no setting for it" if model else "its model is not one that can be named"
            config.notes.append(f"{rule.finding_id}: {rule.action.kind} is left to the app ({why})")
            continue
        params |= found
        evidence.append(rule.finding_id)
        config.has_cache |= "cache" in found
        if rule.action.kind == "fallback":
            chain = [each for each in _read_models(rule) if each != model]
    if model is None or not evidence:
        return
    _add_deployment(config, task, model, evidence, params=params)
    for each in chain:
        _add_deployment(config, f"{task}/{each}", each, evidence)
    if chain:
        config.fallbacks.append({task: [f"{task}/{each}" for each in chain]})


def _read_rule(rule: Rule) -> dict[str, Any] | None:
    """Return a rule as parameters of the task's deployment; None for what LiteLLM does not do."""
    settings, kind = rule.action.settings, rule.action.kind
    if kind == "route":
        return {} if rule.action.candidate else None
    if kind == "fallback":
        return {} if _read_models(rule) else None
    if kind == "cache" and settings.get("cache_kind") == "exact":
        lifetime = settings.get("ttl_s")
        return {"cache": {"use-cache": True} | ({"ttl": lifetime} if lifetime else {})}
    wanted = {
        "timeout": ("timeout", "timeout_s"),
        "retry": ("num_retries", "max_retries"),
        "effort": ("reasoning_effort", "effort"),
        "tier": ("service_tier", "tier"),
    }.get(kind)
    if wanted is None or wanted[1] not in settings:
        return None
    return {wanted[0]: settings[wanted[1]]}


def _find_model(rules: list[Rule]) -> str | None:
    """Return the one model of the route's candidate, else of what serves the task; None where there is not just one."""
    for kind in ("route", "fallback", ""):
        for rule in rules:
            if kind in {"", rule.action.kind}:
                name = rule.action.candidate if rule.action.kind == "route" else rule.action.baseline or rule.serving
                models = rule.models.get(name, ())
                if kind == "fallback" and len(models) != 1:
                    models = tuple(_read_models(rule)[:1])
                if len(models) == 1:
                    return models[0]
    return None


def _read_models(rule: Rule) -> list[str]:
    models = rule.action.settings.get("models", ())
    return list(models) if isinstance(models, tuple) else []


def _add_segments(config: LiteLLMConfig, rule: Rule) -> None:
    """Add a model name per segment, ``task:segment``, for the app to ask for."""
    routes = rule.action.settings.get("combinations")
    for segment, combination in sorted(routes.items()) if isinstance(routes, dict) else ():
        models = rule.models.get(combination, ())
        if len(models) == 1:
            _add_deployment(config, f"{rule.task}:{segment}", models[0], [rule.finding_id])
        else:
            config.notes.append(
                f"{rule.finding_id}: segment {segment!r} runs as {combination!r}, which is not one model"
            )


def _add_deployment(
    config: LiteLLMConfig, name: str, model: str, evidence: list[str], *, params: Mapping[str, Any] | None = None
) -> None:
    prefix = _load_prefixes().get(config.providers.get(model, ""))
    if prefix is None:
        config.notes.append(f"{name}: LiteLLM's name of who serves {model} is not known; put it before the model")
    config.model_list.append(
        {
            "model_name": name,
            "litellm_params": {"model": f"{prefix}/{model}" if prefix else model, **(params or {})},
            "model_info": {"trilemma_evidence": list(evidence)},
        }
    )


@cache
def _load_prefixes() -> dict[str, str]:
    file = resources.files("trilemma_analysis").joinpath("loop", "litellm_providers.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))
