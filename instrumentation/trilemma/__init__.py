"""Turn every LLM call into a span that says what it cost, how long it took, and which task it served."""

from typing import TYPE_CHECKING, Any

# At once, not lazily: the function has its module's name, and would be hidden by it.
from trilemma.task import Task, current_task, current_task_id, task, task_attributes

if TYPE_CHECKING:
    from trilemma.closing import flush
    from trilemma.decisions.cache import cache
    from trilemma.decisions.context import context
    from trilemma.decisions.experiment import experiment
    from trilemma.decisions.fallback import fallback, hedge
    from trilemma.decisions.guardrail import guardrail
    from trilemma.decisions.mark import mark
    from trilemma.decisions.prompt import prompt
    from trilemma.decisions.route import route
    from trilemma.errors import ArgumentError, ConfigurationError, TrilemmaError
    from trilemma.evaluation import evaluate, outcome
    from trilemma.evaluators import Evaluation, evaluator
    from trilemma.instrumentor import instrument, uninstrument
    from trilemma.task_function import carry
    from trilemma.task_spans import TaskSpanProcessor

__all__ = [
    "ArgumentError",
    "ConfigurationError",
    "Evaluation",
    "Task",
    "TaskSpanProcessor",
    "TrilemmaError",
    "cache",
    "carry",
    "context",
    "current_task",
    "current_task_id",
    "evaluate",
    "evaluator",
    "experiment",
    "fallback",
    "flush",
    "guardrail",
    "hedge",
    "instrument",
    "mark",
    "outcome",
    "prompt",
    "route",
    "task",
    "task_attributes",
    "uninstrument",
]

_HOMES = {
    "ArgumentError": "errors",
    "ConfigurationError": "errors",
    "Evaluation": "evaluators",
    "TaskSpanProcessor": "task_spans",
    "TrilemmaError": "errors",
    "cache": "decisions.cache",
    "carry": "task_function",
    "context": "decisions.context",
    "evaluate": "evaluation",
    "evaluator": "evaluators",
    "experiment": "decisions.experiment",
    "fallback": "decisions.fallback",
    "flush": "closing",
    "guardrail": "decisions.guardrail",
    "hedge": "decisions.fallback",
    "instrument": "instrumentor",
    "mark": "decisions.mark",
    "outcome": "evaluation",
    "prompt": "decisions.prompt",
    "route": "decisions.route",
    "uninstrument": "instrumentor",
}


def __getattr__(name: str) -> Any:
    """Import a name's module when it is first used, so that `import trilemma` stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module 'trilemma' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"trilemma.{_HOMES[name]}"), name)
    return value
