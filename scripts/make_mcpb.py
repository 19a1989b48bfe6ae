"""Create the MCPB bundle, which clients such as Claude Desktop install by a double click.

    python scripts/make_mcpb.py container-kit.mcpb

The bundle contains the sources and the lock file. At the first start the client's uv installs Python and the locked
dependencies, without the development packages.
"""

from __future__ import annotations

import json
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
FILES = ("pyproject.toml", "uv.lock", "README.md", "LICENSE")
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)  # a fixed time makes the bundle reproducible


def manifest() -> dict[str, Any]:
    """Return the manifest of the bundle."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    registry_entry = json.loads((ROOT / "server.json").read_text())
    run = ["run", "--directory", "${__dirname}", "--frozen", "--no-dev", "container-kit", "serve"]
    return {
        "manifest_version": "0.4",
        "name": project["name"],
        "display_name": registry_entry["title"],
        "version": project["version"],
        "description": registry_entry["description"],
        "author": {"name": project["authors"][0]["name"]},
        "license": project["license"],
        "homepage": project["urls"]["Homepage"],
        "server": {
            "type": "uv",
            "entry_point": "src/container_kit/server/cli/main.py",
            "mcp_config": {
                "command": "uv",
                "args": run,
                "env": {"CONTAINER_KIT_WORKSPACE": "${user_config.workspace}"},
            },
        },
        "tools_generated": True,
        "prompts_generated": True,
        "keywords": project["keywords"],
        "compatibility": {
            "platforms": ["darwin", "linux", "win32"],
            "runtimes": {"python": project["requires-python"]},
        },
        "user_config": {
            "workspace": {
                "type": "directory",
                "title": "Workspace",
                "description": "The folder with your repositories; the server reads nothing outside it.",
                "required": True,
                "default": "${HOME}",
            }
        },
    }


def make(bundle: Path) -> None:
    """Write the bundle."""
    sources = (path for path in sorted((ROOT / "src").rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, "manifest.json", json.dumps(manifest(), indent=2).encode())
        for path in (*(ROOT / name for name in FILES), *sources):
            _add(archive, path.relative_to(ROOT).as_posix(), path.read_bytes())


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, ZIP_EPOCH)
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content, zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_mcpb.py FILE.mcpb")
    make(Path(sys.argv[1]))
    print(f"created {sys.argv[1]}")
