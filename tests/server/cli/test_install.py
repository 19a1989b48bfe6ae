from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from container_kit.server.cli.client_files import Scope, clients
from container_kit.server.cli.config_edits import add_json, parse_json, remove_json, remove_toml
from container_kit.server.cli.main import CLIENTS, main

FILES = [
    (name, scope)
    for name, client in clients().items()
    for scope in ("user", "project")
    if scope == "user" or client.project is not None
]
each_file = pytest.mark.parametrize(("name", "scope"), FILES, ids=[f"{name}-{scope}" for name, scope in FILES])


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_CONFIG_HOME", "CODEX_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def file_of(name: str, scope: Scope = "user") -> Path:
    file = clients()[name].file(scope)
    assert file is not None
    return file


def entry_of(name: str, scope: Scope = "user") -> dict[str, Any]:
    file = file_of(name, scope)
    text = file.read_text()
    config = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    entry: dict[str, Any] = config[clients()[name].key]["container-kit"]
    return entry


def words(entry: dict[str, Any]) -> list[str]:
    command = entry["command"]
    return command if isinstance(command, list) else [command, *entry["args"]]


def test_the_command_line_offers_each_client() -> None:
    assert sorted(clients()) == sorted(CLIENTS)


@each_file
def test_an_entry_starts_the_server_and_installing_twice_changes_nothing(name: str, scope: Scope) -> None:
    assert main(["install", name, "--scope", scope]) == 0
    program, *arguments = words(entry_of(name, scope))
    if scope == "project":
        assert [program, *arguments] == ["uvx", "container-kit", "serve"]
    else:
        assert Path(program).name == "container-kit"
        assert arguments == ["serve"]
    text = file_of(name, scope).read_text()
    assert main(["install", name, "--scope", scope]) == 0
    assert file_of(name, scope).read_text() == text


@each_file
def test_uninstalling_removes_only_the_entry(name: str, scope: Scope, capsys: pytest.CaptureFixture[str]) -> None:
    file, key = file_of(name, scope), clients()[name].key
    file.parent.mkdir(parents=True, exist_ok=True)
    toml = file.suffix == ".toml"
    before = f'# mine\n[{key}.other]\ncommand = "x"\n' if toml else f'{{\n  // mine\n  "{key}": {{"other": {{}}}}\n}}\n'
    file.write_text(before)
    assert main(["install", name, "--scope", scope]) == 0
    assert main(["uninstall", name, "--scope", scope]) == 0
    assert "".join(file.read_text().split()) == "".join(before.split())
    assert main(["uninstall", name, "--scope", scope]) == 0
    assert "Not configured" in capsys.readouterr().out


JSONC = """{
\t// a comment, with "quotes" and a }
\t"theme": "dark", /* block */
\t"mcpServers": {
\t\t"other": {"command": "x", "args": ["// no comment",],}, // the other
\t},
}
"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_comments_trailing_commas_and_ends_of_lines_are_kept(newline: str, somewhere: Path) -> None:
    file = somewhere / ".cursor" / "mcp.json"
    file.parent.mkdir()
    before = JSONC.replace("\n", newline)
    file.write_bytes(before.encode())
    assert main(["install", "cursor"]) == 0
    after = file.read_bytes().decode()
    assert [line for line in before.splitlines() if line not in after.splitlines()] == []
    assert after.count("\n") == after.count(newline)
    assert '\t\t"container-kit": {' in after
    servers = parse_json(after)["mcpServers"]
    assert servers["other"] == {"command": "x", "args": ["// no comment"]}
    assert main(["uninstall", "cursor"]) == 0
    assert file.read_bytes().decode() == before
    assert (file.parent / "mcp.json.bak").read_bytes().decode() == after


@pytest.mark.parametrize(
    "before",
    [
        "",
        " \n",
        "// only a comment",
        "{}",
        "{ }",
        "{ /* empty */ }",
        '{"a": 1}',
        '{"a": 1, }',
        '{"a": 1 // one\n}',
        '{"servers": {}}',
        '{"servers": {"x": [{}, {"y": "}"}]}, "b": null}',
        '{\n    "servers": {\n        "x": 1\n    }\n}',
        '{"servers": {"x": 1}, "servers": {"z": 2}}',
        '{"a": "\\"// text\\\\", "servers": {"x": 1,},}',
    ],
)
def test_an_edit_of_json_is_the_edit_of_its_value(before: str) -> None:
    value = parse_json(before)
    servers = value.get("servers", {})
    after = add_json(before, "servers", "new", {"k": [1, "ü"]})
    assert parse_json(after) == {**value, "servers": {**servers, "new": {"k": [1, "ü"]}}}
    assert parse_json(remove_json(after, "servers", "new")) == {**value, "servers": servers}


@pytest.mark.parametrize(
    "text", ["{", '{"a": 1} x', '{"a" 1}', "{,}", "[,]", '{"a": 1,,}', "{'a': 1}", '{"a": "\n"}', "/"]
)
def test_text_that_is_not_json_with_comments_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


@pytest.mark.parametrize(("position", "remaining"), [("a", ["b", "c"]), ("b", ["a", "c"]), ("c", ["a", "b"])])
def test_a_member_is_removed_from_each_position(position: str, remaining: list[str]) -> None:
    for text in ('{"s": {"a": 1, "b": 2, "c": 3}}', '{"s": {\n"a": 1,\n"b": 2,\n"c": 3\n}}'):
        after = remove_json(text, "s", position)
        assert list(json.loads(after)["s"]) == remaining


def test_a_table_of_toml_is_removed_with_its_subtables() -> None:
    text = "# top\n[s.x]\na = 1\n[s.x.env]\nb = 2\n# next\n[s.y]\nc = 3\n"
    assert remove_toml(text, "s", "x") == "# top\n# next\n[s.y]\nc = 3\n"


def test_a_toml_file_that_cannot_be_edited_safely_is_not_changed(
    somewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = somewhere / ".codex" / "config.toml"
    file.parent.mkdir()
    before = 'mcp_servers = { container-kit = { command = "x" } }\n'
    file.write_text(before)
    assert main(["uninstall", "codex"]) == 2
    assert file.read_text() == before
    assert "nothing was changed" in capsys.readouterr().err


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
    (somewhere / ".claude.json").write_text(before)
    assert main(["install", "claude-code"]) == 2
    assert (somewhere / ".claude.json").read_text() == before
    assert "nothing was changed" in capsys.readouterr().err
    assert [path.name for path in somewhere.iterdir()] == [".claude.json"]


def test_a_read_only_file_is_not_changed(somewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = somewhere / ".claude.json"
    file.write_text("{}")
    file.chmod(0o444)
    assert main(["install", "claude-code"]) == 2
    assert "read-only" in capsys.readouterr().err
    assert file.read_text() == "{}"
    assert list(somewhere.iterdir()) == [file]


def test_a_symbolic_link_and_the_mode_of_its_file_are_kept(somewhere: Path) -> None:
    file = somewhere / "dotfiles.json"
    file.write_text("{}")
    file.chmod(0o600)
    (somewhere / ".claude.json").symlink_to(file)
    assert main(["install", "claude-code"]) == 0
    assert (somewhere / ".claude.json").is_symlink()
    assert "container-kit" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_client_without_files_of_projects_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "claude-desktop", "--scope", "project"]) == 2
    assert "--scope user" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("codex", "tool_timeout_sec", 3600),
        ("gemini-cli", "timeout", 3_600_000),
        ("qwen-code", "timeout", 3_600_000),
        ("cline", "timeout", 3600),
    ],
)
def test_a_client_with_a_short_default_waits_long_enough_for_builds(name: str, field: str, value: int) -> None:
    assert main(["install", name]) == 0
    assert entry_of(name)[field] == value


def test_printing_writes_nothing(somewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "vscode", "--print"]) == 0
    assert json.loads(capsys.readouterr().out)["servers"]["container-kit"]["type"] == "stdio"
    assert list(somewhere.iterdir()) == []


@pytest.mark.parametrize(("name", "field"), [("claude-code", "env"), ("codex", "env"), ("opencode", "environment")])
def test_an_entry_names_the_workspace_that_was_given(name: str, field: str, somewhere: Path) -> None:
    (somewhere / "code").mkdir()
    assert main(["install", name, "--workspace", str(somewhere / "code")]) == 0
    assert entry_of(name)[field] == {"CONTAINER_KIT_WORKSPACE": str(somewhere / "code")}
    assert main(["install", "vscode", "--workspace", str(somewhere / "nowhere")]) == 2
    assert main(["install", "vscode", "--scope", "project", "--workspace", str(somewhere / "code")]) == 2


def test_the_list_states_where_the_server_is_configured(
    somewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (somewhere / "project").mkdir()
    monkeypatch.chdir(somewhere / "project")
    (somewhere / ".gemini").mkdir()
    (somewhere / ".gemini" / "settings.json").write_text("{ broken")
    assert main(["install", "cursor"]) == 0
    capsys.readouterr()
    assert main(["install", "list"]) == 0
    states = {line.split()[2]: line.split()[1] for line in capsys.readouterr().out.splitlines()}
    assert states[str(somewhere / ".cursor" / "mcp.json")] == "configured"
    assert states[".cursor/mcp.json"] == "-"
    assert states[str(somewhere / ".gemini" / "settings.json")] == "unreadable"
