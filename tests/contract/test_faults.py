"""The table of faults is generated, and every fault code has a meaning, a hint and a test that provokes it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from container_kit.stages.contract.fault import FaultCode
from support.fault_table import all_codes, constants, page, raised_by
from support.provoked_faults import provoked

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
GENERIC = re.compile(
    r"(?i)\b(something went wrong|check the logs?\.?$|try again\.?$|contact support|an error occurred)"
)


def test_the_page_of_faults_is_up_to_date(match_snapshot: Callable[[Path, str], None]) -> None:
    match_snapshot(PAGE, page())


@pytest.mark.parametrize("code", all_codes().values(), ids=lambda code: code.code)
def test_a_code_has_a_family_a_cause_a_meaning_and_a_specific_hint(code: FaultCode) -> None:
    assert re.fullmatch(r"[a-z]+(\.[a-z][a-z0-9_]*)+", code.code)
    assert len(code.means) > 10
    assert len(code.hint) > 10 or code.hint == "{repair}"  # built from the observed values
    assert not GENERIC.search(code.hint)


def test_stages_declare_only_existing_codes() -> None:
    assert set(raised_by()) <= set(all_codes())


def test_every_code_is_provoked_by_a_test() -> None:
    missing = all_codes().keys() - provoked(all_codes(), constants())
    assert sorted(missing) == [], "write a test in which real work fails with this code"
