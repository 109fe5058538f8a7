"""Hold that the claims of a report share its error, and that no module tests without a part of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import trilemma_analysis
from trilemma_analysis.claims import FAMILIES, adjust_claims

PACKAGE = Path(trilemma_analysis.__file__).parent


def test_every_module_that_tests_is_a_family() -> None:
    """What asks for the claims' level is counted once, so that all families together err as often as one may."""
    users = [
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for path in PACKAGE.rglob("*.py")
        if "trilemma_analysis.claims import" in path.read_text(encoding="utf-8")
    ]
    assert sorted(users) == sorted(FAMILIES.values())


def test_adjusted_for_claims_and_families() -> None:
    """Of two claims the smaller counts twice, and each as often as there are families."""
    assert adjust_claims([0.001, 0.004]) == pytest.approx([0.002 * len(FAMILIES), 0.004 * len(FAMILIES)])
    assert adjust_claims([0.9]) == [1.0]
    assert adjust_claims([]) == []
