"""Own what the tests of the report share: a real browser, and the page it opens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from trilemma_analysis.report.html import render_html

from tests.analysis.notebooks.conftest import browser

if TYPE_CHECKING:
    from trilemma_analysis.report import Report

__all__ = ["browser", "page_text"]


@pytest.fixture(scope="session")
def page_text(report: Report) -> str:
    """Return the shop's report as HTML: it has many charts, so it is drawn once."""
    return render_html(report)
