"""What is known about a container that ended or does not answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from container_kit.stages.contract import expressions as re

_REPEATED = re.compile(r"\d+")
_FRAMES = (
    re.compile(r'File "(?P<file>[^"]{1,400})", line (?P<line>\d{1,7})'),
    re.compile(r"(?:file://)?(?P<file>/[^\s()'\":]{1,400}\.(?:[cm]?[jt]sx?|vue|svelte)):(?P<line>\d{1,7})"),
    re.compile(r"(?P<file>[\w./-]{1,400}\.(?:rb|ru|go|rs|exs?|erl|lua|pl|pm)):(?P<line>\d{1,7})"),
    re.compile(r"(?:in |at )(?P<file>/[^\s()'\":]{1,400}\.(?:php|cs|fs|vb))(?:\(|:line |:| on line )(?P<line>\d{1,7})"),
    re.compile(r"\bat [\w.$<>]{1,300}\((?P<file>[\w$]{1,100}\.(?:java|kt|scala|groovy)):(?P<line>\d{1,7})\)"),
)
_FOREIGN = (
    "site-packages",
    "dist-packages",
    "node_modules",
    "/usr/lib",
    "/usr/local/lib",
    "/vendor/",
    "/gems/",
    "node:",
)
_MAX_FILES = 5000


@dataclass(frozen=True, slots=True)
class Crash:
    """The state and the log of one container, with what the source tree and the analysis say."""

    app: str
    image: str
    log: str
    """With secrets redacted and repeated lines folded."""
    exit_code: int | None = None
    """None for a container that still runs."""
    user: str = ""
    root: Path | None = None
    """The module's folder in the source tree; None if the container was not started from a folder."""
    environment: frozenset[str] = frozenset()
    """The names of the variables that are set."""
    missing: tuple[str, ...] = ()
    """Variables that the application requires and that nothing sets."""
    services: Mapping[str, str] = field(default_factory=dict)
    """The variables of the services that the analysis found, by kind."""

    def locate(self) -> str | None:
        """Return `file:line` of the frame in the application's own code; None if the log has none."""
        frames = list(self._frames())
        python = [frame for frame in frames if frame[0].endswith(".py")]
        for file, line in (*reversed(python), *frames):
            shown = self.in_source(file)
            if shown is not None:
                return f"{shown}:{line}"
        return None

    def _frames(self) -> Iterator[tuple[str, str]]:
        found = (
            (match.start(), match["file"], match["line"]) for frame in _FRAMES for match in frame.finditer(self.log)
        )
        for _, file, line in sorted(found):
            if not any(part in file for part in _FOREIGN) and not file.startswith("<"):
                yield file, line

    def in_source(self, path: str) -> str | None:
        """Return the path in the source tree of a file in the container, if the tree has it."""
        if self.root is None:
            return path if path.startswith("/") else None
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        for start in range(len(parts)):
            if self.root.joinpath(*parts[start:]).is_file():
                return "/".join(parts[start:])
        return self._by_name(parts[-1]) if parts and path.endswith((".java", ".kt", ".scala", ".groovy")) else None

    def _by_name(self, name: str) -> str | None:
        assert self.root is not None  # noqa: S101 - the caller checked it
        for number, path in enumerate(self.root.rglob("*")):
            if number > _MAX_FILES:
                return None
            if path.name == name:
                return path.relative_to(self.root).as_posix()
        return None

    def other_case(self, path: str) -> str | None:
        """Return the path that the source tree has in other upper and lower case; None if there is no such path."""
        if self.root is None:
            return None
        parts = [part for part in path.split("/") if part not in ("", ".")]
        for start in range(len(parts)):
            found = _same_but_case(self.root, parts[start:])
            if found is not None and found.relative_to(self.root).as_posix() != "/".join(parts[start:]):
                return found.relative_to(self.root).as_posix()
        return None


def _same_but_case(root: Path, parts: list[str]) -> Path | None:
    """Return the path with these names in any case, with a source suffix added if it has none."""
    folder = root
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        try:
            names = list(folder.iterdir())
        except OSError:
            return None
        wanted = part.lower()
        match = next((item for item in names if item.name.lower() == wanted), None)
        if match is None and last:
            match = next((item for item in names if item.is_file() and item.stem.lower() == wanted), None)
        if match is None:
            return None
        folder = match
    return folder


def fold(log: str) -> str:
    """Replace lines that repeat, but for their numbers, by one line and their count."""
    folded: list[str] = []
    previous, count = "", 0

    def flush() -> None:
        if count > 1:
            folded.append(f"… the line above {count - 1} more times")

    for line in log.splitlines():
        kind = _REPEATED.sub("0", line)
        if kind == previous and line.strip():
            count += 1
            continue
        flush()
        folded.append(line)
        previous, count = kind, 1
    flush()
    return "\n".join(folded)
