"""Own the fixtures that any test may need."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("TRILEMMA_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of shared data; skip where it is missing, except in CI, where that is a failure."""
    if SHARED.is_dir():
        return SHARED
    missing = f"the shared data folder {SHARED} is missing; put it there or set TRILEMMA_SHARED"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)
