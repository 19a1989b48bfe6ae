"""A test that cannot run is reported as skipped with the reason, and in CI as failed; never as passed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
NEEDS_ENGINE = "tests/stages/doctor/test_check_host.py::test_a_running_engine_is_described"


def run_pytest(*arguments: str, ci: bool, host: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "CI"))}
    if ci:
        variables["CI"] = "true"
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments], cwd=ROOT,
        env={**variables, "DOCKER_HOST": host}, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip


def test_without_an_engine_an_engine_test_is_skipped_with_the_reason(tmp_path: Path) -> None:
    host = f"unix://{tmp_path}/none.sock"
    done = run_pytest(NEEDS_ENGINE, ci=False, host=host)
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    assert "passed" not in done.stdout
    assert f"no Docker Engine answers at {host}" in done.stdout


def test_in_ci_that_is_a_failure(tmp_path: Path) -> None:
    done = run_pytest(NEEDS_ENGINE, ci=True, host=f"unix://{tmp_path}/none.sock")
    assert done.returncode == 1
    assert "no Docker Engine answers" in done.stdout
    assert "skipped" not in done.stdout.splitlines()[-1]


@pytest.mark.parametrize("mark", ["engine", "integration"])
def test_in_ci_any_other_skip_of_an_integration_test_is_a_failure_too(tmp_path: Path, mark: str) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    file = tmp_path / "test_it.py"
    body = f"import pytest\n@pytest.mark.{mark}\ndef test_it(): pytest.skip('it rains')\n"
    body += f"@pytest.mark.{mark}\n@pytest.mark.slow\ndef test_slow(): raise AssertionError\n"
    body += "def test_unit(): pytest.skip('no such file system')\n"
    file.write_text(body)
    options = ("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), "-o", f"pythonpath={ROOT}/tests")
    done = run_pytest(*options, str(file), ci=True, host="unix:///nowhere")
    assert "1 failed, 2 skipped" in done.stdout.splitlines()[-1], done.stdout
    assert "it rains" in done.stdout
