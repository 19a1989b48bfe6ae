"""What sets a machine up: what it says where it may not install, and what it does not touch."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.engine.private_engine import PrivateEngine
from support.skip_policy import cannot_run

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
NOBODY = 65534


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A folder like the root of the checkout, that every user may read and write."""
    with tempfile.TemporaryDirectory(prefix="ck-checkout-", dir="/tmp") as name:  # pytest's own is closed to others
        folder = Path(name)
        shutil.copytree(SCRIPTS, folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        folder.chmod(0o777)
        yield folder


def shell(
    checkout: Path, script: str, *, user: int | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", f"set -u; . scripts/lib.sh; {script}"]
    return subprocess.run(
        command, cwd=checkout, user=user, env={"PATH": os.environ["PATH"], **variables},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=50, check=False,
    )  # fmt: skip


@pytest.mark.integration
def test_the_scripts_have_no_findings_of_shellcheck() -> None:
    if shutil.which("shellcheck") is None:
        cannot_run("shellcheck is missing: apt-get install shellcheck")
    files = ["scripts/demo", "scripts/test", "scripts/lib.sh", ".ci/run"]
    done = subprocess.run(["shellcheck", "-x", *files], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_who_may_not_install_is_reported_what_is_missing(checkout: Path) -> None:
    done = shell(checkout, "install 'Docker Engine' docker.io iptables", user=NOBODY)
    assert done.returncode == 1
    assert (
        "Docker Engine is missing, and installing it needs root. The Debian packages: docker.io iptables" in done.stdout
    )


def test_if_there_is_not_a_apt_it_says_so(checkout: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("bash", "mkdir", "id"):
        (tools / name).symlink_to(shutil.which(name) or "")
    done = shell(checkout, "id() { echo 0; }; install 'Docker Engine' docker.io", PATH=str(tools))
    assert done.returncode == 1
    assert "only on Debian" in done.stdout


def test_a_step_that_fails_shows_the_end_of_what_it_printed_and_where_the_rest_is(checkout: Path) -> None:
    done = shell(checkout, "quietly pip.log sh -c 'seq 100; exit 3' || echo went on")
    assert done.stdout.splitlines()[-2:] == ["100", "went on"]
    assert "80" not in done.stdout.split()
    assert ".setup/pip.log" in done.stdout
    assert "80" in (checkout / ".setup/pip.log").read_text().split()


def test_a_python_that_is_too_old_or_cannot_make_environments_is_passed_over(checkout: Path, tmp_path: Path) -> None:
    tools = tmp_path / "old"
    tools.mkdir()
    for name in ("python3", "python3.12"):
        (tools / name).write_text("#!/bin/sh\nexit 1\n")
        (tools / name).chmod(0o755)
    (tools / "python3.11").write_text("#!/bin/sh\nexit 0\n")
    (tools / "python3.11").chmod(0o755)
    assert shell(checkout, f"PATH={tools} find_python").stdout == "python3.11\n"
    (tools / "python3.11").unlink()
    assert shell(checkout, f"PATH={tools} find_python").returncode == 1


def test_an_environment_of_another_folder_is_known_for_what_it_is(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    assert shell(checkout, "moved").returncode == 1, "one that somebody else made is not judged"
    (checkout / ".venv/set-up-for").write_text("/somewhere/else 123 pyproject.toml\n")
    assert shell(checkout, "moved").returncode == 0
    assert shell(checkout, "wanted_state >.venv/set-up-for; moved").returncode == 1
    assert shell(checkout, "is_set_up").returncode != 0, "it has no Python"


@pytest.mark.engine
def test_only_a_stale_pid_file_is_dropped(checkout: Path, private_engine: Callable[..., PrivateEngine]) -> None:
    engine = private_engine()
    file = checkout / "docker.pid"
    file.write_text(str(os.getpid()))  # taken by another process
    assert shell(checkout, f"drop_stale_pid_file {file} dockerd").returncode == 0
    assert not file.exists()
    file.write_text("4194304")  # nobody's
    shell(checkout, f"drop_stale_pid_file {file} dockerd")
    assert not file.exists()
    engine.run("bash", "-c", f"cd {checkout}; . scripts/lib.sh; drop_stale_pid_file {engine.home}/docker.pid dockerd")
    assert (engine.home / "docker.pid").exists()
    shell(checkout, f"drop_stale_pid_file {file} dockerd")  # none at all is fine
