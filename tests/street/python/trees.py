"""Python applications as strangers publish them, read from files of many small trees.

Each tree starts with `=== NAME | MANAGER | TEXT @PAGE`, and may continue with instructions:

- `@generate WORDS`: run a generator in the folder first.
- `@ci`: run it without `--street`.
- `@expect CODE`: the call fails with this fault.
- `@utf16 FILE`: write this file as PowerShell does.

Then follow its files, each after `--- PATH`; the content `@remove` removes what the generator wrote.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from street.application import Application

_FOLDER = Path(__file__).parent


def _read(path: Path) -> Iterator[Application]:
    for part in re.split(r"^=== ", path.read_text(), flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        name, manager, expected = (word.strip() for word in head.split("|", 2))
        chunks = re.split(r"^--- (.*)\n", body, flags=re.MULTILINE)
        yield _application(
            name, manager, expected, chunks[0].split("\n"), dict(zip(chunks[1::2], chunks[2::2], strict=True))
        )


def _application(name: str, manager: str, expected: str, lines: list[str], files: dict[str, str]) -> Application:
    text, _, page = expected.partition(" @")
    words = {line.split()[0]: line.split()[1:] for line in lines if line.startswith("@")}
    utf16 = set(words.get("@utf16", ()))

    def make(folder: Path) -> None:
        if generator := words.get("@generate"):
            _generate(folder, generator)
        for path, content in files.items():
            file = folder / path
            if content.startswith("@remove"):
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode("utf-16" if path in utf16 else "utf-8"))

    return Application(
        name=name,
        ecosystem="python",
        manager=manager,
        make=make,
        text=text,
        page=page.strip() or "/",
        fault=next(iter(words.get("@expect", ())), None),
        in_ci="@ci" in words,
    )


def _generate(folder: Path, words: list[str]) -> None:
    """Run `django-admin` of the version that the index has."""
    inside = words[3] if len(words) > 3 else "."
    (folder / inside).mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": _django()}
    command = [sys.executable, "-m", "django", *words[1:]]
    subprocess.run(command, cwd=folder, check=True, timeout=60, env=environment)


@cache
def _django() -> str:
    target = tempfile.mkdtemp(prefix="ck-street-django-")
    atexit.register(shutil.rmtree, target, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", target, "django"]
    subprocess.run(command, check=True, timeout=300)
    return target


APPLICATIONS: tuple[Application, ...] = tuple(
    application for path in sorted(_FOLDER.glob("*.applications")) for application in _read(path)
)
