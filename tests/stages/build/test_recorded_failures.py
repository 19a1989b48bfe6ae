"""The outputs of real programs that failed, each with the class that the program's documentation gives it.

`tests/support/failures/record_builds.py` made the recordings; each says how.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from container_kit.stages.build.failures.explain import STEP_FAILED
from container_kit.stages.contract.fault import Fault
from support.failures.explain_recording import RECORDINGS, explain_recording

NAMES = sorted(path.stem for path in RECORDINGS.glob("*.toml"))
IDENTICAL = re.compile(r"make the same call", re.IGNORECASE)


def fault_of(name: str) -> Fault:
    return explain_recording(tomllib.loads((RECORDINGS / f"{name}.toml").read_text()))


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_failure_has_its_class_and_a_repair_without_open_placeholders(name: str) -> None:
    recording = tomllib.loads((RECORDINGS / f"{name}.toml").read_text())
    fault = explain_recording(recording)
    assert fault.code == recording["code"], fault.message
    assert fault.next_actions
    for text in (fault.message, fault.hint, *(action.why for action in fault.next_actions)):
        assert text
        assert not re.search(r"\{\w+\}", text)
        assert not IDENTICAL.search(text)


def test_few_failures_are_without_a_class() -> None:
    codes = Counter(fault_of(name).code for name in NAMES)
    assert len(NAMES) >= 150
    assert codes[STEP_FAILED.code] < 0.1 * len(NAMES)


def test_the_lock_file_of_each_manager_is_renewed_by_its_own_command() -> None:
    renewals = {
        "npm-lock-outdated": "npm install --package-lock-only",
        "pnpm10-lock-outdated": "pnpm install --lockfile-only",
        "pnpm7-lock-outdated": "pnpm install --lockfile-only",
        "yarn1-lock-outdated": "yarn install",
        "yarn4-lock-outdated": "yarn install --mode=update-lockfile",
        "bun-lock-outdated": "bun install --lockfile-only",
        "uv-lock-outdated": "uv lock",
        "poetry-lock-outdated": "poetry lock",
        "pdm-lock-outdated": "pdm lock",
        "pipenv-lock-outdated": "pipenv lock",
        "go-sum-missing": "go mod tidy",
        "cargo-lock-outdated": "cargo update --workspace",
        "bundler-lock-outdated": "bundle lock",
        "composer-lock-outdated": "composer update",
    }
    for name, command in renewals.items():
        fault = fault_of(name)
        assert f"`{command}" in fault.hint, name
        assert "without" in fault.hint or "write `" in fault.hint, name


def test_the_missing_library_is_named_with_its_debian_package() -> None:
    packages = {"pip-header": "libpq-dev", "pip-pg-config": "libpq-dev", "pip-mysql": "default-libmysqlclient-dev"}
    for name, package in packages.items():
        assert package in fault_of(name).next_actions[0].why
