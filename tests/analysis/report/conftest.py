"""Own what the tests of the report share: the shop's store on disk, opened by whoever needs it, and its report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from trilemma_analysis.client import connect
from trilemma_analysis.report import build_report

from tests.analysis.notebooks.conftest import browser
from tests.analysis.planted import make_store
from tests.analysis.planted_shop import fill_shop

if TYPE_CHECKING:
    from trilemma_analysis.report import Report

__all__ = ["browser", "report", "shop"]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a store with the shop's runs."""
    directory = tmp_path_factory.mktemp("shop") / "store"
    with make_store(directory) as store:
        fill_shop(store)
    return f"chdb://{directory}"


@pytest.fixture(scope="session")
def report(shop: str) -> Report:
    """Return the shop's report."""
    with connect(shop) as store:
        return build_report(store)
