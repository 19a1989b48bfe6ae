"""No other user of the machine can read or change the state, and a copy of the journal reveals no value."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from container_kit.pipelines.durable import store
from container_kit.pipelines.durable.sealing import SealedJSONSerializer
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.contract.private_files import UnsafePath, make_private_folder
from container_kit.stages.docker.endpoint import find_endpoint
from support.mcp.servers import environment

pytestmark = pytest.mark.integration

RUN = [sys.executable, "-m", "container_kit.server.cli.main", "run"]
PLANTED = "ENVPLANTED-1234567"


def deploy(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a deployment that fails because there is no engine, with a permissive umask."""
    known = environment(folder, DOCKER_HOST="unix:///nowhere/docker.sock")
    return subprocess.run(
        [*RUN, "deploy", "shop:1", "--name", "shop", "--env", f"APP_SETTING={PLANTED}"],
        cwd=folder,
        env={**known, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        umask=0,
    )


def test_everything_in_an_existing_state_folder_is_private_and_holds_no_value(tmp_path: Path) -> None:
    home = tmp_path / ".home"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    ended = deploy(tmp_path)
    assert "engine" in ended.stderr + ended.stdout
    files = [path for path in home.rglob("*") if path.is_file()]
    assert any(path.name == "runs.db" for path in files)
    assert {path.name: oct(path.stat().st_mode & 0o077) for path in files if path.stat().st_mode & 0o077} == {}
    folders = [path for path in home.rglob("*") if path.is_dir()]
    assert {path.name: oct(path.stat().st_mode & 0o077) for path in folders if path.stat().st_mode & 0o077} == {}
    assert [path.name for path in files if PLANTED.encode() in path.read_bytes()] == []


def test_a_journal_that_was_readable_becomes_private(tmp_path: Path) -> None:
    deploy(tmp_path)
    journal = tmp_path / ".home" / "runs.db"
    journal.chmod(0o644)
    deploy(tmp_path)
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777, 0o720])
def test_a_state_folder_that_others_can_write_to_is_refused_before_anything_is_written(
    mode: int, tmp_path: Path
) -> None:
    home = tmp_path / ".home"
    home.mkdir()
    home.chmod(mode)
    ended = deploy(tmp_path)
    assert ended.returncode == 1
    assert "store.unsafe" in ended.stderr
    assert list(home.iterdir()) == []


def test_a_folder_above_that_others_can_replace_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    (shared / "mine").mkdir(parents=True)
    shared.chmod(0o777)
    with pytest.raises(UnsafePath, match="shared"):
        make_private_folder(shared / "mine" / "home")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user")
def test_a_folder_that_another_user_made_first_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 65534, 65534)
    with pytest.raises(UnsafePath, match="another user"):
        make_private_folder(home)


def test_a_journal_that_is_a_link_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (home / "runs.db").symlink_to(victim)
    with pytest.raises(StageFailure):
        store.connect(f"sqlite:///{home}/runs.db")
    assert victim.read_text() == "precious"


def test_a_row_opens_only_with_its_key_and_unchanged() -> None:
    sealed = SealedJSONSerializer("k" * 43)
    text = sealed.serialize({"env": {"A": PLANTED}})
    assert PLANTED not in text
    assert sealed.deserialize(text) == {"env": {"A": PLANTED}}
    assert sealed.serialize(1) != sealed.serialize(1)
    for other, row in ((SealedJSONSerializer("x" * 43), text), (sealed, "A" + text[1:]), (sealed, text[:-8])):
        with pytest.raises(Exception):  # noqa: B017, PT011 - any failure is right
            other.deserialize(row)


ADDRESSES = [
    "postgresql://nobody:STOREPLANT1@127.0.0.1:1/none",
    "postgresql://nobody@127.0.0.1:1/none?password=STOREPLANT2",
    "postgresql://nobody@127.0.0.1:1/none?sslpassword=STOREPLANT3&passfile=STOREPLANT4",
    "postgresql://STOREPLANT5@127.0.0.1:1/none",
    "postgresql://nobody:STOREPLANT6@[::1]:1/none",
    "postgresql://nobody:STORE%50LANT7@127.0.0.1:1/none",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_credential_of_the_stores_address_is_shown(address: str) -> None:
    with pytest.raises(StageFailure) as caught:
        store.connect(address)
    shown = caught.value.fault.model_dump_json() + str(caught.value)
    assert "PLANT" not in shown
    assert "/none" in shown


@pytest.mark.parametrize(
    "address",
    [
        "tcp://DOCKPLANT@127.0.0.1:1",
        "tcp://user:DOCKPLANT@127.0.0.1:1",
        "tcp://a/DOCKPLANT@127.0.0.1:1",
        "DOCKPLANT@127.0.0.1:1",
    ],
)
def test_no_credential_of_the_engines_address_is_shown(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    assert find_endpoint().host == "tcp://127.0.0.1:1"


def test_deleted_runs_leave_no_row_behind(tmp_path: Path) -> None:
    from container_kit.pipelines.durable.config import DurableConfig, Retention
    from container_kit.pipelines.durable.service import DurableRuns

    deploy(tmp_path)
    home = tmp_path / ".home"

    async def prune() -> None:
        async def nothing(_: object) -> None:
            """Sweep nothing: there is no engine."""

        config = DurableConfig(f"sqlite:///{home}/runs.db", home, role="worker", sweep=nothing)
        async with DurableRuns(config).open() as runs:
            await runs.prune(Retention(keep=0))

    asyncio.run(prune())
    with sa.create_engine(f"sqlite:///{home}/runs.db").connect() as connection:
        for table in ("workflow_status", "operation_outputs", "container_kit_events"):
            assert connection.scalar(sa.text(f"SELECT count(*) FROM {table}")) == 0  # noqa: S608 - three literals
