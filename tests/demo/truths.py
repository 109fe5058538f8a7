"""Own the truths planted in the demo: the emulator acts by them, the report has to find them, the test compares."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = [
    "CACHE_LIFETIME_S",
    "DRIFT_AT",
    "END",
    "ERRORS",
    "MODELS",
    "START",
    "SUCCESS",
    "TRUTHS",
    "Model",
    "Truth",
    "success_rate",
]

# The demo's two weeks. Fixed, so that every run gives the same rows; a Monday, so that weeks read well.
START: Final = datetime(2026, 11, 2, tzinfo=UTC)
END: Final = START + timedelta(days=14)

# From this moment on the provider serves support.summary worse, without saying so.
DRIFT_AT: Final = START + timedelta(days=9)

# Both providers keep a prompt prefix this long, counted from its last use.
CACHE_LIFETIME_S: Final = 3600.0


@dataclass(frozen=True)
class Model:
    """One model of the emulated providers: the name it answers with, and how fast it is."""

    answers_as: str
    first_token_s: float
    per_token_s: float
    tokens_per_chunk: int = 4


MODELS: Final = {
    "gpt-5.4": Model("gpt-5.4-2026-03-05", 0.62, 0.0125),
    "gpt-5.4-mini": Model("gpt-5.4-mini-2026-03-17", 0.34, 0.0060),
    "claude-sonnet-4-6": Model("claude-sonnet-4-6", 0.85, 0.0140),
    "claude-haiku-4-5": Model("claude-haiku-4-5-20251001", 0.38, 0.0065),
    "text-embedding-3-small": Model("text-embedding-3-small", 0.09, 0.0),
}

# True probability that the answer is right, by (skill, who answers). A skill is what the request asks for.
SUCCESS: Final = {
    # One cheaper model is as good for one task ...
    ("triage", "gpt-5.4"): 0.95,
    ("triage", "gpt-5.4-mini"): 0.95,
    # ... and worse for another.
    ("refund", "gpt-5.4"): 0.95,
    ("refund", "gpt-5.4-mini"): 0.82,
    # A prompt that no longer asks for the order number gets drafts without it.
    ("reply", "order number asked for"): 0.94,
    ("reply", "order number not asked for"): 0.78,
    # The drift: one model, one prompt, before and after DRIFT_AT.
    ("summary", "before"): 0.96,
    ("summary", "after"): 0.74,
}

# How providers fail: share of first attempts, and the share of those that fail at every further attempt too.
ERRORS: Final = {"share": 0.02, "persistent": 0.15}


def success_rate(skill: str, model: str, *, order_number_asked: bool, at: datetime) -> float:
    """Return the planted probability that `model` does `skill` right at the time `at`; 1.0 for anything unplanted."""
    if skill == "reply":
        return SUCCESS["reply", "order number asked for" if order_number_asked else "order number not asked for"]
    if skill == "summary":
        return SUCCESS["summary", "before" if at < DRIFT_AT else "after"]
    return SUCCESS.get((skill, model), 1.0)


@dataclass(frozen=True)
class Truth:
    """One planted truth: what a reader of the report should learn, and by which finding."""

    kind: str  # of the finding
    task: str
    verdict: str
    what: str


TRUTHS: Final = (
    Truth("model_route", "support.triage", "act", "gpt-5.4-mini sorts mail as well as gpt-5.4, for less"),
    Truth("model_route", "support.refund", "don't", "gpt-5.4-mini is wrong about refunds more often than gpt-5.4"),
    Truth("prompt_version", "support.reply", "act", "reply@v4 is cheaper than v3, and forgets the order number"),
    Truth("repeated_requests", "support.triage", "act", "three of ten mails come from machines, word for word alike"),
    Truth("drift", "support.summary", "act", f"from {DRIFT_AT:%d %B} on, claude-haiku-4-5 fails more often"),
)
