from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from container_kit.server.cli.install import clients
from container_kit.server.cli.main import main


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["claude-code", "claude-desktop", "vscode", "cursor", "codex"])
def test_an_entry_starts_the_server_and_installing_twice_changes_nothing(name: str) -> None:
    assert main(["install", name]) == 0
    client = clients()[name]
    text = client.file.read_text()
    known = tomllib.loads(text) if client.file.suffix == ".toml" else json.loads(text)
    entry = known[client.key]["container-kit"]
    assert entry["args"] == ["serve"]
    assert entry["command"].endswith("container-kit")
    assert main(["install", name]) == 0
    assert client.file.read_text() == text


def test_other_entries_are_kept_and_the_file_is_backed_up(somewhere: Path) -> None:
    before = '{"mcpServers": {"other": {"command": "x"}}, "theme": "dark"}'
    (somewhere / ".mcp.json").write_text(before)
    assert main(["install", "claude-code"]) == 0
    after = json.loads((somewhere / ".mcp.json").read_text())
    assert after["theme"] == "dark"
    assert set(after["mcpServers"]) == {"other", "container-kit"}
    assert (somewhere / ".mcp.json.bak").read_text() == before


def test_comments_of_a_toml_file_are_kept(somewhere: Path) -> None:
    (somewhere / ".codex").mkdir()
    (somewhere / ".codex" / "config.toml").write_text('# mine\nmodel = "x"')
    assert main(["install", "codex"]) == 0
    text = (somewhere / ".codex" / "config.toml").read_text()
    assert text.startswith("# mine\n")
    assert tomllib.loads(text)["model"] == "x"


@pytest.mark.parametrize(
    "before", ['{"mcpServers": {"container-kit": {"command": "mine"}}}', "{ broken", '{"mcpServers": []}', "[]"]
)
def test_a_file_that_cannot_be_merged_is_not_changed(
    before: str, somewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (somewhere / ".mcp.json").write_text(before)
    assert main(["install", "claude-code"]) == 2
    assert (somewhere / ".mcp.json").read_text() == before
    assert "nothing was changed" in capsys.readouterr().err


def test_codex_has_a_timeout_long_enough_for_builds(somewhere: Path) -> None:
    assert main(["install", "codex"]) == 0
    [entry] = tomllib.loads((somewhere / ".codex" / "config.toml").read_text())["mcp_servers"].values()
    assert entry["tool_timeout_sec"] == 3600  # the default of Codex is a minute


def test_printing_writes_nothing(somewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "vscode", "--print"]) == 0
    assert json.loads(capsys.readouterr().out)["servers"]["container-kit"]["type"] == "stdio"
    assert list(somewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["claude-code", "codex"])
def test_an_entry_names_the_workspace_that_was_given(name: str, somewhere: Path) -> None:
    (somewhere / "code").mkdir()
    assert main(["install", name, "--workspace", str(somewhere / "code")]) == 0
    client = clients()[name]
    text = client.file.read_text()
    known = tomllib.loads(text) if client.file.suffix == ".toml" else json.loads(text)
    assert known[client.key]["container-kit"]["env"] == {"CONTAINER_KIT_WORKSPACE": str(somewhere / "code")}
    assert main(["install", "vscode", "--workspace", str(somewhere / "nowhere")]) == 2
