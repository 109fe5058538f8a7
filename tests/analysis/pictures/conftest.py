"""Own the report of the shop that traces everything, for the tests of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from trilemma_analysis.client import connect
from trilemma_analysis.report import build_report

if TYPE_CHECKING:
    from trilemma_analysis.report import Report


@pytest.fixture(scope="session")
def traced(traced_shop: str) -> Report:
    """Return the report of the shop that traces everything."""
    with connect(traced_shop) as store:
        return build_report(store)
