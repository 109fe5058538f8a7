"""Hold what each kind of decision leaves: a span beneath its task, with its facts, whatever happens."""

from __future__ import annotations

import asyncio
import string
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
import trilemma
from opentelemetry.propagate import inject
from opentelemetry.trace import StatusCode
from trilemma.decisions.context import fingerprint

if TYPE_CHECKING:
    from pathlib import Path

    from tests.instrumentation.task.conftest import Telemetry

D = "trilemma.decision."


def test_decision_lies_beneath_its_task(telemetry: Telemetry) -> None:
    """Its span is a child of the task's and carries the task's name and id, so that a query needs no join."""
    with trilemma.task("support.refund") as task, trilemma.guardrail("pii") as check:
        telemetry.tracer.start_span("model").end()
    span, inner = telemetry.span("guardrail pii"), telemetry.span("model")
    assert span.parent == task.span.get_span_context()
    assert inner.parent == span.get_span_context()
    assert telemetry.attributes("guardrail pii")["trilemma.task.id"] == task.id
    assert check.id == f"{span.context.trace_id:032x}-{span.context.span_id:016x}"


def test_assignment_is_stable_and_documented(telemetry: Telemetry) -> None:
    """The variant follows from the documented hash, is the same each time, and is recorded once per task."""
    experiment = trilemma.experiment("refund.prompt", {"v1": 3, "v2": 1}, unit="user", axis="context")
    point = int.from_bytes(sha256(b"refund.prompt|user-7").digest()[:8], "big") / 2**64
    with trilemma.task("support.refund") as task:
        first, second = experiment.assign("user-7"), experiment.assign("user-7")
    assert first is second
    assert str(first) == ("v1" if point < 0.75 else "v2")
    assert first.probability == {"v1": 0.75, "v2": 0.25}[first.variant]
    facts = telemetry.attributes("variant refund.prompt")
    assert facts[f"{D}candidates"] == ("v1", "v2")
    assert (facts[f"{D}probability"], facts[f"{D}unit"]) == (first.probability, "user")
    assert "user-7" not in str(facts)
    assert task.attributes["trilemma.variant.context"] == first.variant


def test_assignment_follows_its_weights() -> None:
    """Over many units each variant gets its share, the holdout its own, and the probabilities say so."""
    experiment = trilemma.experiment("e", {"a": 1, "b": 3}, holdout=0.2)
    got = [experiment.assign(f"u{number}") for number in range(4000)]
    assert sum(one.is_holdout for one in got) / 4000 == pytest.approx(0.2, abs=0.02)
    assert sum(one.variant == "b" for one in got) / 4000 == pytest.approx(0.6, abs=0.025)
    assert {(one.variant, round(one.probability, 9)) for one in got} == {("a", 0.4), ("b", 0.6)}


def test_unit_that_is_not_eligible_gets_the_control(telemetry: Telemetry) -> None:
    """It is recorded as such, with probability 1."""
    assigned = trilemma.experiment("e", ["a", "b"]).assign("u", eligible=False)
    assert (assigned.variant, assigned.probability, assigned.is_eligible) == ("a", 1, False)
    assert telemetry.attributes("variant e")[f"{D}eligible"] is False


def test_prompt_is_versioned_by_its_text(telemetry: Telemetry, tmp_path: Path) -> None:
    """Equal texts are one version, in a file or not; the task and what follows beneath it have it."""
    (tmp_path / "refund.txt").write_text("Refund {case}?", encoding="utf-8")
    prompt = trilemma.prompt("refund", "Refund {case}?")
    with trilemma.task("support.refund") as task:
        assert prompt.render(case="secret") == "Refund secret?"
        telemetry.tracer.start_span("model").end()
        carrier: dict[str, str] = {}
        inject(carrier)
    assert prompt.version == trilemma.prompt("refund", tmp_path / "refund.txt").version
    assert prompt.version != trilemma.prompt("refund", "Refund {case}!").version
    for name in ("prompt refund", "model", "support.refund"):
        assert telemetry.attributes(name)["gen_ai.prompt.version"] == prompt.version
    assert task.attributes["gen_ai.prompt.name"] == "refund"
    assert f"gen_ai.prompt.version={prompt.version}" in carrier["baggage"]
    facts = telemetry.attributes("prompt refund")
    assert facts["trilemma.prompt.variables"] == ("case",)
    assert "secret" not in str(facts)


@pytest.mark.parametrize(("switch", "shown"), [("SPAN_ONLY", "case-7"), ("EVENT_ONLY", None), ("", None)])
def test_values_of_variables_are_content(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch, switch: str, shown: str | None
) -> None:
    """What a prompt was filled with is recorded only where content is captured on spans."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", switch)
    trilemma.prompt("refund", "Refund {case}?").render(case="case-7")
    assert telemetry.attributes("prompt refund").get("gen_ai.prompt.variable.case") == shown


def test_prompt_of_an_object() -> None:
    """A template object fills itself in; one whose text cannot be found needs a version."""
    assert trilemma.prompt("p", string.Template("Hello $name")).render(name="you") == "Hello you"
    with pytest.raises(trilemma.ArgumentError, match="give its text, or a version"):
        trilemma.prompt("p", object())
    assert trilemma.prompt("p", object(), version=3).version == "3"


def test_missing_variable_is_the_users_error() -> None:
    """What str.format raises is raised."""
    with pytest.raises(KeyError, match="case"):
        trilemma.prompt("p", "Refund {case}?").render()


def test_context_blocks(telemetry: Telemetry) -> None:
    """Each block's source, size and fate are recorded, and a fingerprint in place of its text."""
    with trilemma.task("support.answer"), trilemma.context("kb", budget_tokens=100) as blocks:
        kept = blocks.keep("The policy.", source="wiki", tokens=60, score=0.9)
        blocks.drop("An old policy.", id="doc-2", source="wiki", reason="too old")
    blocks.mark_used(kept)
    facts = telemetry.attributes("context kb")
    block = "trilemma.context.block."
    assert facts[f"{block}ids"] == (fingerprint("The policy."), "doc-2")
    assert facts[f"{block}tokens"] == (60, -1)
    assert facts[f"{block}kept"] == (True, False)
    assert facts[f"{block}reasons"] == ("", "too old")
    assert facts["trilemma.context.budget_tokens"] == 100
    assert "policy" not in str(facts).lower()
    [event] = telemetry.events()
    assert event.attributes["gen_ai.evaluation.score.label"] == "used"
    assert event.attributes[f"{block}id"] == kept


@pytest.mark.parametrize("verdict", ["block", "change", "passed"])
def test_guardrail_verdicts(telemetry: Telemetry, verdict: str) -> None:
    """What it says is on its span, with stage, reason and what it cost."""
    with trilemma.guardrail("pii", stage="output") as check:
        getattr(check, verdict)("card number")
        check.cost = 0.001
    facts = telemetry.attributes("guardrail pii")
    assert facts[f"{D}chosen"] == {"block": "blocked", "change": "changed", "passed": "passed"}[verdict]
    assert (facts["trilemma.guardrail.stage"], facts[f"{D}reason"]) == ("output", "card number")
    assert facts[f"{D}cost"] == 0.001


def test_guardrail_as_decorator(telemetry: Telemetry) -> None:
    """True passes, False blocks, a tuple says more; the result is the function's, sync and async."""

    @trilemma.guardrail("length")
    def is_short(text: str) -> bool:
        return len(text) < 5

    @trilemma.guardrail("mask", stage="output")
    async def mask(text: str) -> tuple[str, str]:
        return "changed", f"{len(text)} letters"

    assert (is_short("abc"), is_short("abcdefg")) == (True, False)
    assert asyncio.run(mask("abc")) == ("changed", "3 letters")
    verdicts = [span.attributes[f"{D}chosen"] for span in telemetry.span_exporter.get_finished_spans()]
    assert verdicts == ["passed", "blocked", "changed"]


def test_guardrail_that_fails_is_an_error(telemetry: Telemetry) -> None:
    """An exception passes through, and its type is on the span, not its message."""
    with pytest.raises(ValueError, match="secret"), trilemma.guardrail("pii"):
        raise ValueError("secret")
    span = telemetry.span("guardrail pii")
    assert span.status.status_code is StatusCode.ERROR
    assert telemetry.attributes("guardrail pii")["error.type"] == "ValueError"
    assert "secret" not in span.to_json()


def test_route_draws_with_its_probability(telemetry: Telemetry) -> None:
    """Weights are drawn from and recorded; over many draws each option gets its share."""
    drawn = [trilemma.route("model", {"small": 0.8, "large": 0.2}) for _ in range(1000)]
    assert drawn.count("small") == pytest.approx(800, abs=60)
    spans = telemetry.span_exporter.get_finished_spans()
    assert {(s.attributes[f"{D}chosen"], round(s.attributes[f"{D}probability"], 9)) for s in spans if s.attributes} == {
        ("small", 0.8),
        ("large", 0.2),
    }


def test_route_of_ones_own(telemetry: Telemetry) -> None:
    """What an app chose itself is recorded with reason and policy; no probability is made up."""
    with trilemma.task("support.refund") as task:
        assert trilemma.route("model", ["s", "l"], chosen="l", reason="long input", policy_version=3) == "l"
    facts = telemetry.attributes("route model")
    assert (facts[f"{D}chosen"], facts[f"{D}reason"], facts[f"{D}policy_version"]) == ("l", "long input", "3")
    assert f"{D}probability" not in facts
    assert task.attributes["trilemma.variant.route"] == "model@3"


def fail() -> str:
    """Fail as a provider does."""
    raise ConnectionError("down")


def test_fallback_tries_in_order(telemetry: Telemetry) -> None:
    """Each attempt has its place and result; the answer is that of the first option that was accepted."""
    with trilemma.task("support.refund") as task:
        chain = {"small": fail, "medium": lambda: "", "large": lambda: "yes"}
        assert trilemma.fallback("answer", chain, accept=bool) == "yes"
    spans = [span for span in telemetry.span_exporter.get_finished_spans() if span.name == "fallback answer"]
    *attempts, whole = [dict(span.attributes or {}) for span in spans]
    assert [(a["trilemma.fallback.attempt"], a[f"{D}chosen"], a["trilemma.fallback.result"]) for a in attempts] == [
        (1, "small", "failed"),
        (2, "medium", "rejected"),
        (3, "large", "accepted"),
    ]
    assert attempts[0]["error.type"] == "ConnectionError"
    assert (whole[f"{D}chosen"], whole[f"{D}candidates"]) == ("large", ("small", "medium", "large"))
    assert {span.parent.span_id for span in spans[:-1] if span.parent} == {spans[-1].context.span_id}
    assert task.attributes["trilemma.variant.fallback"] == "answer"


def test_fallback_without_an_answer(telemetry: Telemetry) -> None:
    """The last error is the user's; what is not waited for passes at once."""
    with pytest.raises(ConnectionError):
        trilemma.fallback("answer", {"a": fail, "b": fail})
    with pytest.raises(ConnectionError):
        trilemma.fallback("strict", {"a": fail, "b": lambda: "x"}, on=KeyError)
    assert len([s for s in telemetry.span_exporter.get_finished_spans() if s.name == "fallback strict"]) == 2


async def test_fallback_of_coroutines(telemetry: Telemetry) -> None:
    """Coroutine functions are awaited in order."""

    async def late() -> str:
        await asyncio.sleep(10)
        return "late"

    async def small() -> str:
        return await asyncio.wait_for(late(), 0.01)

    async def large() -> str:
        return "yes"

    assert await trilemma.fallback("answer", {"small": small, "large": large}) == "yes"
    first, *_ = telemetry.span_exporter.get_finished_spans()
    assert (first.attributes or {})["trilemma.fallback.result"] == "timed_out"


async def test_hedge_takes_the_first_answer(telemetry: Telemetry) -> None:
    """The slow one is cancelled, its span says so, and no task is left behind."""

    async def slow() -> str:
        await asyncio.sleep(10)
        return "slow"

    async def fast() -> str:
        return "fast"

    assert await trilemma.hedge("answer", {"a": slow, "b": fast}, after_s=0.01) == "fast"
    results = {
        (span.attributes or {}).get(f"{D}chosen"): (span.attributes or {}).get("trilemma.fallback.result")
        for span in telemetry.span_exporter.get_finished_spans()
        if span.parent
    }
    assert results == {"a": "cancelled", "b": "accepted"}
    assert len(asyncio.all_tasks()) == 1


async def test_hedge_of_failures(telemetry: Telemetry) -> None:
    """Where all fail, the last error is raised, without waiting out the time between."""

    async def broken() -> str:
        raise ConnectionError("down")

    with pytest.raises(ConnectionError):
        await trilemma.hedge("answer", {"a": broken, "b": broken}, after_s=30)
    assert len(telemetry.span_exporter.get_finished_spans()) == 3


def test_cache_look_ups(telemetry: Telemetry) -> None:
    """A hit says how alike and what it saved; a miss is what is not told otherwise."""
    with trilemma.cache("answers", kind="semantic") as look:
        look.hit(similarity=0.93, saved_cost=0.002, saved_s=1.5)
    with trilemma.cache("pages") as other:
        pass
    assert (look.is_hit, other.is_hit) == (True, False)
    facts = telemetry.attributes("cache answers")
    assert (facts[f"{D}chosen"], facts["trilemma.cache.kind"], facts["trilemma.cache.similarity"]) == (
        "hit",
        "semantic",
        0.93,
    )
    assert telemetry.attributes("cache pages")[f"{D}chosen"] == "miss"


def test_marks_tell_the_truth_later(telemetry: Telemetry) -> None:
    """A mark is an evaluation of the decision's span, by the object or by the id kept of it."""
    with trilemma.cache("answers") as look:
        look.hit()
    trilemma.mark(look, "wrong")
    trilemma.mark(look.id, "right", source="judge", at=1_800_000_000)
    first, second = telemetry.events()
    span = telemetry.span("cache answers")
    for event in (first, second):
        assert event.attributes["gen_ai.evaluation.name"] == "trilemma.decision"
        assert (event.trace_id, event.span_id) == (span.context.trace_id, span.context.span_id)
    assert [event.attributes["gen_ai.evaluation.score.label"] for event in (first, second)] == ["wrong", "right"]
    assert second.timestamp == 1_800_000_000 * 10**9


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: trilemma.experiment("e", {}),
        lambda: trilemma.experiment("e", {"a": 0}),
        lambda: trilemma.experiment("e", ["a"], holdout=1),
        lambda: trilemma.experiment("e", ["a"], axis="model"),
        lambda: trilemma.experiment("e", ["a", "b"]).assign(),
        lambda: trilemma.guardrail("g", stage="middle"),
        lambda: trilemma.route("r", []),
        lambda: trilemma.route("r", ["a", "b"]),
        lambda: trilemma.route("r", ["a"], chosen="b"),
        lambda: trilemma.route("r", ["a"], chosen="a", probability=0),
        lambda: trilemma.route("r", {"a": -1, "b": 1}),
        lambda: trilemma.fallback("f", {}),
        lambda: trilemma.fallback("f", {"a": 1}),  # type: ignore[dict-item]
        lambda: trilemma.cache("c", kind="fuzzy"),
        lambda: trilemma.cache("c").hit(similarity=2),
        lambda: trilemma.mark("nothing", "right"),
        lambda: trilemma.mark("0" * 32 + "-" + "0" * 16, "right"),
        lambda: trilemma.mark("x", "maybe"),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong: Any) -> None:
    """An argument that cannot be meant raises at once, and names itself."""
    with pytest.raises(trilemma.ArgumentError, match=r"\S"):
        wrong()


def test_without_a_provider_nothing_happens() -> None:
    """With nothing set up every call works, marks are silent, and ids are empty."""
    with trilemma.task("t"), trilemma.guardrail("g") as check, trilemma.context("c") as blocks:
        blocks.keep("x")
        check.block()
    assert check.id == ""
    trilemma.mark(check, "wrong")
    assert trilemma.prompt("p", "Hi {x}").render(x=1) == "Hi 1"
    assert trilemma.fallback("f", {"a": lambda: 1}) == 1
