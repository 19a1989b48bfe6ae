"""Applications of other people: a tree that a generator or a test writes, and the page that it must show."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Files = Mapping[str, str]
Maker = Callable[[Path], None]
"""Makes the tree in an empty folder."""


@dataclass(frozen=True)
class Application:
    """One application of the street.

    Attributes:
        name: Unique in the suite; `--only` of the benchmark searches it.
        ecosystem: The language's ecosystem, for the shares.
        manager: The package manager, for the shares.
        make: Makes the tree.
        text: A part of the page that only this application has.
        arguments: Arguments of `full-deployment` next to `path`.
        page: The path of the page.
        browser: Whether the page needs JavaScript.
        fault: The code of the fault if the application needs something that the call does not have; else None.
        in_ci: Whether it runs without `--street`; it must take seconds.
    """

    name: str
    ecosystem: str
    manager: str
    make: Maker
    text: str = "hello from the street"
    arguments: Mapping[str, Any] = field(default_factory=dict)
    page: str = "/"
    browser: bool = False
    fault: str | None = None
    in_ci: bool = False

    def __str__(self) -> str:
        return self.name


def tree(files: Files) -> Maker:
    """Return a maker of a tree that is written by hand."""

    def make(folder: Path) -> None:
        write(folder, files)

    return make


def write(folder: Path, files: Files) -> None:
    """Write files below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text that a generator wrote; fail if it writes something else by now."""
    text = path.read_text()
    assert old in text, f"{path.name} does not contain {old!r}"
    path.write_text(text.replace(old, new))


def edit_json(path: Path, **fields: Any) -> None:
    """Set fields of a JSON object; a mapping is merged, None removes the field."""
    document = json.loads(path.read_text())
    for name, value in fields.items():
        if isinstance(value, dict):
            document[name] = {**document.get(name, {}), **value}
        elif value is None:
            document.pop(name, None)
        else:
            document[name] = value
    path.write_text(json.dumps(document, indent=2))


def run(folder: Path, *command: str, timeout: float = 240, **variables: str) -> None:
    """Run a program in a folder without a terminal."""
    environment = {**os.environ, "CI": "1", "npm_config_yes": "true", **variables}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}: {(done.stdout + done.stderr)[-2000:]}"
