"""The MCP clients that this server can be registered with: their files, entries and next steps."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Scope = Literal["user", "project"]
_TIMEOUT_SECONDS = 3600
"""The default of most clients, often a minute, would cancel builds."""
_RESTART = "Restart it to load the server."


def _plain(command: list[str], env: dict[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"command": command[0], "args": command[1:]}
    return {**entry, "env": env} if env else entry


def _stdio(command: list[str], env: dict[str, str]) -> dict[str, Any]:
    return {"type": "stdio", **_plain(command, env)}


def _copilot(command: list[str], env: dict[str, str]) -> dict[str, Any]:
    return {"type": "local", **_plain(command, env), "tools": ["*"]}


def _opencode(command: list[str], env: dict[str, str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "local", "command": command, "enabled": True}
    return {**entry, "environment": env} if env else entry


def _timeout(name: str, value: int) -> Callable[[list[str], dict[str, str]], dict[str, Any]]:
    return lambda command, env: {**_plain(command, env), name: value}


@dataclass(frozen=True, slots=True)
class ClientFiles:
    """The configuration files of a client."""

    title: str
    key: str
    """The key of the servers in the file."""
    user: Path
    project: Path | None = None
    """The file of a project, in its folder; None if the client has none."""
    entry: Callable[[list[str], dict[str, str]], dict[str, Any]] = field(default=_plain)
    next_step: str = _RESTART
    """What a person does after the user's file has changed."""
    next_step_in_project: str = "Restart it in this folder and approve the server when it asks."

    def file(self, scope: Scope) -> Path | None:
        """Return the file of a scope."""
        return self.user if scope == "user" else self.project


def clients() -> Mapping[str, ClientFiles]:
    """Return the clients by name. Files of a project are in the current directory."""
    home = Path.home()
    applications = _applications(home)
    code = applications / "Code" / "User"
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    zed = applications / "Zed" if sys.platform == "win32" else config / "zed"
    milliseconds = _timeout("timeout", _TIMEOUT_SECONDS * 1000)
    trusted = "Restart it in this folder and trust the folder when it asks."
    return {
        "claude-code": ClientFiles(
            "Claude Code", "mcpServers", home / ".claude.json", Path(".mcp.json"), _stdio, "Start a new session."
        ),
        "claude-desktop": ClientFiles(
            "Claude Desktop",
            "mcpServers",
            applications / "Claude" / "claude_desktop_config.json",
            next_step="Quit it and start it again.",
        ),
        "vscode": ClientFiles(
            "VS Code",
            "servers",
            code / "mcp.json",
            Path(".vscode/mcp.json"),
            _stdio,
            "Run `MCP: List Servers`, start the server and trust it.",
            "Open this folder, run `MCP: List Servers`, start the server and trust it.",
        ),
        "cursor": ClientFiles(
            "Cursor",
            "mcpServers",
            home / ".cursor" / "mcp.json",
            Path(".cursor/mcp.json"),
            next_step="Enable the server under Settings, MCP.",
            next_step_in_project="Open this folder and enable the server under Settings, MCP.",
        ),
        "codex": ClientFiles(
            "Codex",
            "mcp_servers",
            Path(os.environ.get("CODEX_HOME") or home / ".codex") / "config.toml",
            Path(".codex/config.toml"),
            _timeout("tool_timeout_sec", _TIMEOUT_SECONDS),
            next_step_in_project=trusted,
        ),
        "copilot-cli": ClientFiles("Copilot CLI", "mcpServers", home / ".copilot" / "mcp-config.json", entry=_copilot),
        "gemini-cli": ClientFiles(
            "Gemini CLI",
            "mcpServers",
            home / ".gemini" / "settings.json",
            Path(".gemini/settings.json"),
            milliseconds,
            "Restart it and trust the folder: it starts no servers in other folders.",
            next_step_in_project=trusted,
        ),
        "opencode": ClientFiles(
            "OpenCode",
            "mcp",
            config / "opencode" / "opencode.json",
            Path("opencode.json"),
            _opencode,
            next_step_in_project="Restart it in this folder.",
        ),
        "windsurf": ClientFiles(
            "Windsurf",
            "mcpServers",
            home / ".codeium" / "windsurf" / "mcp_config.json",
            next_step="Refresh the servers in the Cascade panel.",
        ),
        "zed": ClientFiles(
            "Zed",
            "context_servers",
            zed / "settings.json",
            Path(".zed/settings.json"),
            next_step="It starts the server now; see the Agent panel.",
            next_step_in_project="Open this folder and trust it when Zed asks.",
        ),
        "cline": ClientFiles(
            "Cline",
            "mcpServers",
            code / "globalStorage" / "saoudrizwan.claude-dev" / "settings" / "cline_mcp_settings.json",
            entry=_timeout("timeout", _TIMEOUT_SECONDS),
            next_step="It starts the server now; see MCP Servers in its panel.",
        ),
        "amp": ClientFiles(
            "Amp", "amp.mcpServers", home / ".config" / "amp" / "settings.json", Path(".amp/settings.json")
        ),
        "qwen-code": ClientFiles(
            "Qwen Code",
            "mcpServers",
            home / ".qwen" / "settings.json",
            Path(".qwen/settings.json"),
            milliseconds,
            next_step_in_project=trusted,
        ),
    }


def _applications(home: Path) -> Path:
    """Return the folder in which desktop applications keep their settings."""
    if sys.platform == "darwin":
        return home / "Library" / "Application Support"
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", home))
    return home / ".config"
