"""The documentation of faults follows the code."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from container_kit.stages.contract.fault import FaultCode
from support.fault_table import all_codes, constants, page, raised_by
from support.provoked_faults import provoked

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
GENERIC = re.compile(
    r"(?i)\b(something went wrong|check the logs?\.?$|try again\.?$|contact support|an error occurred)"
)


def test_every_code_stands_in_the_table() -> None:
    if os.environ.get("CONTAINER_KIT_WRITE"):
        PAGE.write_text(page(), "utf-8")
    assert PAGE.read_text("utf-8") == page(), "write it anew: CONTAINER_KIT_WRITE=1 pytest tests/contract"


@pytest.mark.parametrize("code", all_codes().values(), ids=lambda code: code.code)
def test_a_code_is_family_and_cause_with_a_meaning_and_a_hint_of_its_own(code: FaultCode) -> None:
    assert re.fullmatch(r"[a-z]+(\.[a-z][a-z0-9_]*)+", code.code)
    assert len(code.means) > 10
    assert len(code.hint) > 10 or code.hint == "{repair}"  # decided by what was seen
    assert not GENERIC.search(code.hint)


def test_what_a_stage_declares_is_known() -> None:
    assert set(raised_by()) <= set(all_codes())


def test_every_code_is_provoked_by_a_test() -> None:
    missing = all_codes().keys() - provoked(all_codes(), constants())
    assert sorted(missing) == [], "write a test in which real work ends with this code"
