"""`container-kit install` and `uninstall`: edit a client's configuration file, keeping a copy of the file."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from container_kit.server.cli.client_files import ClientFiles, Scope, clients
from container_kit.server.cli.config_edits import add_json, add_toml, parse_json, parse_toml, remove_json, remove_toml
from container_kit.stages.contract.fault import ConfigurationError

NAME = "container-kit"


def install(name: str, *, scope: Scope = "user", only_print: bool = False, workspace: Path | None = None) -> int:
    """Register this server with a client, then print the changed file and the next step.

    Args:
        name: The client.
        scope: Whose file: the user's, or that of the project in the current directory, which teams commit.
        only_print: Print the entry and change nothing.
        workspace: The folder that the server may access; None leaves it to the folder that the client starts it in.

    Raises:
        ConfigurationError: The file cannot be read or written, or has another entry of this name.
    """
    client, file = _select(name, scope)
    entry = client.entry(_command(scope), _variables(scope, workspace))
    if only_print:
        print(_add("", file, client, entry), end="")  # noqa: T201
        return 0
    text = _read(file)
    servers = _servers(file, client, text)
    if NAME in servers:
        if servers[NAME] == entry:
            print(f"Already configured in {file}.")  # noqa: T201
            return 0
        raise ConfigurationError(
            f"{file} has a different {NAME!r}; nothing was changed. "
            f"Remove it first: container-kit uninstall {name} --scope {scope}"
        )
    after = _add(text, file, client, entry)
    _check(file, client, text, after, {**servers, NAME: entry})
    _write(file, text, after)
    next_step = client.next_step if scope == "user" else client.next_step_in_project
    print(f"Added to {file}. Next, in {client.title}: {next_step}")  # noqa: T201
    return 0


def uninstall(name: str, *, scope: Scope = "user") -> int:
    """Remove this server from a client's file.

    Raises:
        ConfigurationError: The file cannot be read or written.
    """
    client, file = _select(name, scope)
    text = _read(file)
    servers = _servers(file, client, text)
    if NAME not in servers:
        print(f"Not configured in {file}.")  # noqa: T201
        return 0
    after = (remove_toml if file.suffix == ".toml" else remove_json)(text, client.key, NAME)
    _check(file, client, text, after, {key: entry for key, entry in servers.items() if key != NAME})
    _write(file, text, after)
    print(f"Removed from {file}. Restart {client.title}.")  # noqa: T201
    return 0


def list_clients() -> int:
    """Print each client with its files, and whether this server is registered there."""
    for name, client in clients().items():
        for file in filter(None, (client.user, client.project)):
            print(f"{name:15} {_state(client, file):14} {file}")  # noqa: T201
    return 0


def _state(client: ClientFiles, file: Path) -> str:
    try:
        return "configured" if NAME in _servers(file, client, _read(file)) else "-"
    except ConfigurationError:
        return "unreadable"


def _select(name: str, scope: Scope) -> tuple[ClientFiles, Path]:
    client = clients()[name]
    file = client.file(scope)
    if file is None:
        raise ConfigurationError(f"{client.title} has no file of a project; use --scope user. Nothing was changed")
    return client, file


def _add(text: str, file: Path, client: ClientFiles, entry: dict[str, Any]) -> str:
    return (add_toml if file.suffix == ".toml" else add_json)(text, client.key, NAME, entry)


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8") if file.exists() else ""  # keeps the ends of the lines
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read: {error}; nothing was changed") from error


def _parse(file: Path, text: str) -> dict[str, Any]:
    try:
        config = parse_toml(text) if file.suffix == ".toml" else parse_json(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file} cannot be parsed ({error}); nothing was changed") from error
    if not isinstance(config, dict):
        raise ConfigurationError(f"{file} does not contain an object; nothing was changed")
    return config


def _servers(file: Path, client: ClientFiles, text: str) -> dict[str, Any]:
    servers = _parse(file, text).get(client.key, {})
    if not isinstance(servers, dict):
        raise ConfigurationError(f"{file}: {client.key} is not an object; nothing was changed")
    return servers


def _check(file: Path, client: ClientFiles, before: str, after: str, servers: dict[str, Any]) -> None:
    """Check that an edit changes the servers as expected, and nothing else."""
    edited = _parse(file, after)
    if edited.pop(client.key, {}) != servers or edited != {
        key: value for key, value in _parse(file, before).items() if key != client.key
    }:
        raise ConfigurationError(f"{file} is written in a way that cannot be edited safely; nothing was changed")


def _write(file: Path, before: str, after: str) -> None:
    """Replace a file atomically. The file behind a symbolic link is replaced, not the link."""
    target = file.resolve()
    try:
        if target.exists() and not target.stat().st_mode & 0o222:
            raise ConfigurationError(f"{file} is read-only; nothing was changed")
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(after.encode("utf-8"))
            if before:
                shutil.copymode(target, name)
                shutil.copy2(target, target.with_name(target.name + ".bak"))
            else:
                Path(name).chmod(0o644)
            Path(name).replace(target)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error}; nothing was changed") from error


def _variables(scope: Scope, workspace: Path | None) -> dict[str, str]:
    if workspace is None:
        return {}
    if scope == "project":
        raise ConfigurationError("--workspace is a path of this machine: use it with --scope user. Nothing was changed")
    folder = workspace.expanduser().resolve()
    if not folder.is_dir():
        raise ConfigurationError(f"--workspace: {folder} is not a folder; nothing was changed")
    return {"CONTAINER_KIT_WORKSPACE": str(folder)}


def _command(scope: Scope) -> list[str]:
    """Return a command that works on each machine for a project, else the full path: clients seldom share the PATH."""
    if scope == "project":
        return ["uvx", NAME, "serve"]
    program = Path(sys.executable).with_name(NAME)
    return [str(program) if program.exists() else shutil.which(NAME) or NAME, "serve"]
