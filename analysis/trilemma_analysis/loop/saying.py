"""Own how the loop reads in a sentence: what was measured, against what was promised, and how predictions do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trilemma_analysis.wording import say_change, say_count, say_seconds, say_share, with_interval

if TYPE_CHECKING:
    from trilemma_analysis.loop.model import Calibration, Certificate, CertificateState, MeasuredEffect, Measurement

__all__ = ["say_calibration", "say_certificate", "say_measured", "say_method", "say_state"]


def say_measured(one: MeasuredEffect) -> str:
    """Say what was predicted of one side, what was measured, and how it stands."""
    predicted = say_change(one.predicted) if one.predicted else "nothing predicted"
    measured = say_change(one.measured) if one.measured.value is not None else "nothing measured"
    return f"{one.side}: predicted {predicted}, measured {measured}, n = {say_count(one.measured.n)}: {one.standing}"


def say_method(one: Measurement) -> str:
    """Say how it was measured, and on how many runs."""
    if one.method == "holdout":
        return f"{say_count(one.runs)} runs with it, {say_count(one.runs_beside)} beside it as before"
    if one.method == "time series":
        beside = f"less what {', '.join(one.controls)} did" if one.controls else "with nothing to compare beside it"
        return f"the series before and since, {beside}, to {one.until:%Y-%m-%d %H:%M} UTC"
    return f"{say_count(one.runs)} runs with it so far"


def say_calibration(one: Calibration | None) -> str:
    """Say how our own predictions do."""
    if one is None:
        return "No predicted effect has been measured yet."
    return (
        f"Our predictions so far: {one.inside} of {one.effects} measured effects lay in their stated interval, "
        f"{with_interval(one.share)}."
    )


def say_certificate(one: Certificate) -> str:
    """Say what a certificate vouches for."""
    parts = [f"success ≥ {say_share(one.success_at_least)} with {one.confidence * 100:g} % confidence"]
    if one.pass_k is not None:
        parts.append(f"{one.k} of {one.k} trials {with_interval(one.pass_k)}")
    parts.append("cost per run " + (with_interval(one.cost_per_run) if one.cost_per_run else "not known"))
    known = one.latency_p95.value is not None
    parts.append(f"p95 {with_interval(one.latency_p95) if known else say_seconds(None)}")
    return f"{one.task} on {one.label}: {', '.join(parts)}, on {say_count(one.known)} runs"


def say_state(one: CertificateState) -> str:
    """Say whether a certificate holds, and why not."""
    if one.state == "valid":
        return f"valid until {one.certificate.valid_until:%Y-%m-%d %H:%M} UTC"
    return f"{one.state}: {'; '.join(one.reasons)}"
