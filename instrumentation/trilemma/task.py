"""Own the task: the business job that LLM calls serve, its id on every span beneath, and its outcome."""

from __future__ import annotations

from contextvars import Token
from os import urandom
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast
from urllib.parse import quote_plus

from opentelemetry import baggage, trace
from opentelemetry.context import Context, attach, create_key, detach, get_current, set_value
from opentelemetry.trace import INVALID_SPAN, Status, StatusCode

from trilemma import guard
from trilemma.arguments import SOURCES, check_number, check_text, check_word, to_text
from trilemma.errors import ArgumentError
from trilemma.span_attributes import write_attributes
from trilemma.telemetry import get_tracer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType
    from typing import Self
    from uuid import UUID

__all__ = ["Task", "current_task", "current_task_id", "task", "task_attributes"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

AXES = ("context", "guardrail", "route", "fallback", "cache")
# What a task puts on every span beneath it, and into W3C baggage under the same names, the most needed first.
_CARRIED = (
    "trilemma.task.id",
    "trilemma.task.name",
    "trilemma.task.input_id",
    "gen_ai.prompt.name",
    "gen_ai.prompt.version",
    "trilemma.variant",
    *(f"trilemma.variant.{axis}" for axis in AXES),
)
_MAX_BAGGAGE_BYTES = 2048  # of the 8,192 that W3C allows for all of an app's baggage
_MAX_ENCODED = 3  # bytes of an ASCII character in a header: %XX
_TASK_KEY = create_key("trilemma-task")
# Where OpenTelemetry keeps baggage in a context. Its API sets one entry at a time, with a copy of all for each.
(_BAGGAGE_KEY,) = baggage.set_baggage("any", "thing", Context())
_NOTHING: Mapping[str, str] = {}


def task(
    name: str,
    *,
    id: str | int | UUID | None = None,  # noqa: A002 - the word for it
    input_id: str | int | UUID | None = None,
    version: str | int | None = None,
    prompt_name: str | None = None,
    prompt_version: str | int | None = None,
    variant: str | Mapping[str, str | None] | None = None,
    value: float | None = None,
    failure_cost: float | None = None,
    budget: float | None = None,
    deadline_s: float | None = None,
    segment: str | None = None,
    customer: str | int | UUID | None = None,
    hash_customer: bool = True,
) -> Task:
    """Open a business task: a span whose name, id and combination are on every span beneath it.

    Use it as ``with``, ``async with`` or decorator. `name` says which job it is ("support.refund"); `id` which run of
    it (default: a new one); `input_id` what it works on: the same input under two combinations makes a pair.
    `version` is that of your code, `prompt_name` and `prompt_version` say which prompt is in use. `variant` is a label
    of the whole combination, or a mapping of its axes: context, guardrail, route, fallback, cache (and "label").
    `value` is what a success is worth in your currency, `failure_cost` what a failure costs beyond it, `budget` what
    the run's calls may cost, `deadline_s` how long it may take. `segment` says which kind of customer it is for, and
    `customer` which one: recorded only as a hash, unless `hash_customer` is False.

    Name, ids, prompt and variant travel to other processes as W3C baggage, wherever your app sends that: put nothing
    personal there. The rest stays on the task's span. Raises ArgumentError where an argument cannot be meant; nothing
    else of ours is ever raised.
    """
    described = {
        "trilemma.task.name": check_text("task", "name", name),
        "trilemma.task.input_id": input_id,
        "gen_ai.prompt.name": prompt_name,
        "gen_ai.prompt.version": prompt_version,
        **_read_variant(variant),
    }
    carried = {key: text for key, raw in described.items() if raw is not None and (text := to_text(raw))}
    own = {
        "trilemma.task.version": None if version is None else to_text(version),
        "trilemma.task.failure_cost": check_number("task", "failure_cost", failure_cost),
        "trilemma.task.budget": check_number("task", "budget", budget),
        "trilemma.task.deadline": check_number("task", "deadline_s", deadline_s),
        "trilemma.task.segment": None if segment is None else to_text(segment),
        "trilemma.task.customer": _name_customer(customer, hashed=hash_customer),
    }
    known = {key: fact for key, fact in own.items() if fact is not None}
    return Task(carried, None if id is None else to_text(id), known, check_number("task", "value", value))


def current_task() -> Task | None:
    """Return the innermost task of this process that the code runs in, if any."""
    return _find_local(get_current())


def current_task_id() -> str | None:
    """Return the id of the task that the code runs in, also where another process opened it."""
    return task_attributes().get("trilemma.task.id")


def task_attributes(context: Context | None = None) -> Mapping[str, str]:
    """Return the attributes of the task that `context` (default: the current one) runs in; empty outside a task.

    Within a process they come from the context, behind a process boundary from W3C baggage.
    """
    if context is None:
        context = get_current()
    local = _find_local(context)
    if local is not None:
        return local.attributes
    entries = baggage.get_all(context)
    if "trilemma.task.id" not in entries:
        return _NOTHING
    return {name: str(entries[name]) for name in _CARRIED if name in entries}


class Entered:
    """Be what ``with`` and ``async with`` hold open: begun and attached, then left and ended with the error, if any."""

    __slots__ = ("_token",)
    _token: Token[Context] | None

    def begin(self) -> Context:
        """Start, and return the context to be in."""
        raise NotImplementedError

    def end(self, error: BaseException | None = None) -> None:
        """End."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._token = attach(self.begin())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._token is not None:
            leave(self._token)
        self.end(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


class Task(Entered):
    """A run of a business task, made by `task`: `id` and `name` identify it, `span` is its span."""

    __slots__ = (
        "_ended",
        "_entries",
        "_fixed_id",
        "_own",
        "_room",
        "_told",
        "_value",
        "assignments",
        "attributes",
        "id",
        "name",
        "span",
    )

    def __init__(
        self, carried: Mapping[str, str], fixed_id: str | None, own: Mapping[str, str | float], value: float | None
    ) -> None:
        self.name = carried["trilemma.task.name"]
        self.id = fixed_id or urandom(16).hex()  # as a random UUID, at a quarter of its cost
        self.attributes: Mapping[str, str] = {"trilemma.task.id": self.id, **carried}
        self.span: trace.Span = INVALID_SPAN
        self._fixed_id = fixed_id
        self._own = own
        self._value = value
        self._told: dict[str, str | float] = {}  # the outcome's attributes
        self._token: Token[Context] | None = None
        self._ended = False
        self._entries: dict[str, object] | None = None  # of baggage, in every context beneath the task
        self._room = 0  # bytes that these may still grow by, at the least
        self.assignments: dict[str, Any] = {}  # of experiments, so that each is recorded once

    @property
    def custom_id(self) -> str:
        """The custom_id to give a batch's item that serves this task: whoever reads its result finds the task by it.

        Raises ArgumentError for an id of yours that is too long for it (64 characters in all).
        """
        from trilemma.custom_id import write_custom_id

        return write_custom_id(self.name, self.id)

    def succeed(self, value: float | None = None, *, source: str = "system") -> None:
        """Say that the task was done; `value` is what that was worth. After the task's end it is sent as an event."""
        self._tell("success", None, value, source)

    def fail(self, failure_mode: str | None = None, value: float | None = None, *, source: str = "system") -> None:
        """Say that the task was not done, and why in a word of yours: ``fail("wrong_amount")``."""
        self._tell("failure", failure_mode, value, source)

    def unknown(self) -> None:
        """Take back what was said: how the task ended is not known."""
        self._tell("unknown", None, None, "system")

    def note_variant(self, axis: str, value: str) -> None:
        """Say what was decided on an axis of the combination (or "label") while the task runs.

        It is on the task, on every span that begins beneath it from now on, and in the baggage sent from now on.
        """
        self._note_carried(_read_variant({axis: to_text(value)}))

    def note_prompt(self, name: str, version: str) -> None:
        """Say which prompt is in use from now on; `trilemma.prompt` does this for you."""
        self._note_carried({"gen_ai.prompt.name": to_text(name), "gen_ai.prompt.version": to_text(version)})

    def __enter__(self) -> Self:
        if self._token is not None or self._ended:
            raise ArgumentError(
                f"task {self.name!r} was opened before; make a new one for each run: trilemma.task(...)"
            )
        return super().__enter__()

    def __call__(self, function: Callable[_P, _R]) -> Callable[_P, _R]:
        """Run every call of `function` (plain, async or generator) as a task of its own."""
        from trilemma.task_function import wrap

        if self._fixed_id:
            raise ArgumentError(
                f"@task({self.name!r}, id={self._fixed_id!r}): every call is a run with an id of its own"
            )
        return wrap(function, self._renew)

    def begin(self) -> Context:
        """Start the span and return the context to run the task in; `with` does this for you."""
        context = get_current()
        return self._begin(context) or context

    @guard.guarded
    def end(self, error: BaseException | None = None) -> None:
        """End the span with the outcome as known by now: an error that nobody explained is a failure of its name."""
        if self._ended:
            return
        self._ended = True
        if error is not None and not isinstance(error, GeneratorExit) and not _is_clean_exit(error):
            kind = type(error).__name__
            if not self._told:
                self._note("failure", kind, None, "system")
            # The message is left out: it may quote what a user wrote.
            self.span.set_attribute("error.type", kind)
            self.span.set_status(Status(StatusCode.ERROR, kind))
        if self._value is not None and self._told.get("trilemma.task.outcome") != "failure":
            self._told.setdefault("trilemma.task.value", self._value)
        self.span.set_attributes(self._told)
        self.span.end()

    @guard.guarded
    def _begin(self, context: Context) -> Context:
        attributes: dict[str, Any] = {**self.attributes, **self._own}
        self.span = get_tracer().start_span(self.name, context, attributes=attributes)
        carrying = _put_in_baggage(self.attributes, trace.set_span_in_context(self.span, context))
        self._entries = cast("dict[str, object]", carrying.get(_BAGGAGE_KEY))
        self._room = _MAX_BAGGAGE_BYTES - _count_most_bytes(self.attributes)
        return set_value(_TASK_KEY, self, carrying)

    @guard.guarded
    def _note_carried(self, carried: Mapping[str, str | None]) -> None:
        known = {key: value for key, value in carried.items() if value and self.attributes.get(key) != value}
        if not known or self._ended:
            return
        self.attributes = {**self.attributes, **known}
        write_attributes(self.span, known)
        if self._entries is None:
            return
        self._room -= _count_most_bytes(known)
        if self._room >= 0 or _count_bytes({**self._entries, **known}) <= _MAX_BAGGAGE_BYTES:
            self._entries.update(known)

    def _renew(self) -> Task:
        carried = {key: value for key, value in self.attributes.items() if key != "trilemma.task.id"}
        return Task(carried, None, self._own, self._value)

    def _tell(self, outcome: str, failure_mode: str | None, value: float | None, source: str) -> None:
        function = f"Task {self.name!r}: {outcome}"
        amount = check_number(function, "value", value)
        self._note(
            outcome, to_text(failure_mode or "") or None, amount, check_word(function, "source", source, SOURCES)
        )
        if self._ended:
            from trilemma.evaluation import send_outcome

            send_outcome(self.id, self.name, self._told)

    def _note(self, outcome: str, failure_mode: str | None, value: float | None, source: str) -> None:
        told = {
            "trilemma.task.outcome": outcome,
            "trilemma.task.failure_mode": failure_mode,
            "trilemma.task.outcome_source": source,
            "trilemma.task.value": value,
        }
        self._told = {key: fact for key, fact in told.items() if fact is not None}


def _find_local(context: Context) -> Task | None:
    """Return this process's task, unless a message from another process has set its own since, within it."""
    local = cast("Task | None", context.get(_TASK_KEY))
    entries = context.get(_BAGGAGE_KEY)
    if local is not None and isinstance(entries, dict) and entries.get("trilemma.task.id", local.id) != local.id:
        return None
    return local


def leave(token: Token[Context]) -> None:
    """Return to the context before; from another context (a generator closed by the collector) there is none to leave.

    OpenTelemetry's own `detach` would log an error for that, see open-telemetry/opentelemetry-python#2606.
    """
    if not isinstance(token, Token):  # a context implementation of the app's own
        detach(token)
        return
    try:
        token.var.reset(token)
    except ValueError:
        return


def _read_variant(variant: str | Mapping[str, str | None] | None) -> dict[str, str | None]:
    if variant is None or isinstance(variant, str):
        return {"trilemma.variant": variant}
    unknown = [axis for axis in variant if axis not in AXES and axis != "label"]
    if unknown:
        raise ArgumentError(
            f"task(variant=...): {unknown[0]!r} is no axis; use {', '.join(AXES)}, or label for the rest"
        )
    return {
        "trilemma.variant" if axis == "label" else f"trilemma.variant.{axis}": value for axis, value in variant.items()
    }


def _put_in_baggage(attributes: Mapping[str, str], context: Context) -> Context:
    """Set the task's entries; an outer task's go, and what exceeds the limit stays in this process."""
    entries = {name: value for name, value in baggage.get_all(context).items() if name not in _CARRIED}
    if _count_most_bytes(attributes) <= _MAX_BAGGAGE_BYTES:
        entries.update(attributes)
        return set_value(_BAGGAGE_KEY, entries, context)
    room = _MAX_BAGGAGE_BYTES
    for name in _CARRIED:
        if name in attributes:
            room -= len(name) + len(quote_plus(attributes[name])) + 2
            if room >= 0:
                entries[name] = attributes[name]
    return set_value(_BAGGAGE_KEY, entries, context)


def _count_most_bytes(attributes: Mapping[str, str]) -> int:
    """Return more than they can take in a header, quickly."""
    most = _MAX_ENCODED if all(map(str.isascii, attributes.values())) else _MAX_ENCODED * 4  # bytes of a character
    return sum(len(name) + 2 + most * len(value) for name, value in attributes.items())


def _count_bytes(entries: Mapping[str, object]) -> int:
    """Return how much the task's entries take in a header."""
    return sum(len(name) + len(quote_plus(str(entries[name]))) + 2 for name in _CARRIED if name in entries)


def _name_customer(customer: object, *, hashed: bool) -> str | None:
    """Return 16 hexadecimal digits that stand for a customer, the same in every process, or the name as it is."""
    if customer is None or not hashed:
        return None if customer is None else to_text(customer)
    from hashlib import sha256

    return sha256(f"trilemma.customer|{to_text(customer)}".encode()).hexdigest()[:16]


def _is_clean_exit(error: BaseException) -> bool:
    return isinstance(error, SystemExit) and error.code in {None, 0}
