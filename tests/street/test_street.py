"""Applications of other people reach their own page with one call of `full-deployment`.

Without `--street`, only the few run that take seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from docker import APIClient

from street.application import Application
from street.catalog import APPLICATIONS
from street.deployment import deploy

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.timeout(600)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "application" in metafunc.fixturenames:
        everything = metafunc.config.getoption("--street")
        chosen = [one for one in APPLICATIONS if everything or one.in_ci]
        metafunc.parametrize("application", chosen, ids=str)


async def test_one_call_leads_to_the_applications_page(
    application: Application,
    tmp_path: Path,
    unique: Callable[[], str],
    docker_api: APIClient,
    record_property: Callable[[str, object], None],
) -> None:
    outcome = await deploy(application, tmp_path, unique(), docker_api)
    record_property("street", outcome.line)
    assert outcome.holds, f"{outcome.line}\n{json.dumps(outcome.fault, indent=1)[:6000]}"


def test_each_application_has_its_own_name() -> None:
    names = [application.name for application in APPLICATIONS]
    assert sorted(names) == sorted(set(names))
