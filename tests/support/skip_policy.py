"""When a test may be skipped: never in CI, except a stress run."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def cannot_run(reason: str) -> NoReturn:
    """Skip the running test and say why; in CI that is a failure."""
    if IN_CI:
        pytest.fail(f"{reason}; with CI=true this may not be skipped", pytrace=False)
    pytest.skip(reason)
