"""Own what tests of the analysis share: two shops' stores on disk, opened by whoever needs them, and their reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from trilemma_analysis.client import connect
from trilemma_analysis.report import build_report

from tests.analysis.planted import make_store
from tests.analysis.planted_shop import fill_shop
from tests.analysis.traced_shop import fill_traced_shop

if TYPE_CHECKING:
    from trilemma_analysis.report import Report


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


@pytest.fixture(scope="session")
def traced_shop(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a store with the runs of the shop that traces everything."""
    directory = tmp_path_factory.mktemp("traced") / "store"
    with make_store(directory) as store:
        fill_traced_shop(store)
    return f"chdb://{directory}"
