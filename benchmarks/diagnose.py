"""Report the outcome of the rollout in each recorded watch stream, and the second at which it was known.

A stream is a JSON-lines file; each line has `t` (seconds since the apply), `kind` (or `object.kind`), `object`, and
perhaps `type` (ADDED, MODIFIED, DELETED, BOOKMARK, ERROR). A folder stands for the files in it. After the last line
nothing more is seen: time goes on, the state stays. Lines that cannot be read are counted, not guessed.

    python benchmarks/diagnose.py tests/stages/kubernetes/streams --json
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from container_kit.stages.deploy.kubernetes.cluster.api_faults import rejection
from container_kit.stages.deploy.kubernetes.rollout.container import dig
from container_kit.stages.deploy.kubernetes.rollout.diagnosis import Diagnosis, Failed, Verdict
from container_kit.stages.deploy.kubernetes.rollout.state import read_time

QUIET_SECONDS = 400.0
_SUFFIXES = (".jsonl", ".ndjson", ".json")
_OF_THE_WATCH = ("ERROR", "BOOKMARK")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was seen."""

    t: float
    kind: str
    found: dict[str, Any]
    type: str = ""


@dataclass(slots=True)
class Stream:
    """What could be read of a file."""

    lines: list[Line] = field(default_factory=list)
    unreadable: int = 0

    def deployment(self, likely: str) -> str | None:
        """The Deployment that the stream is about: the one it is named after, else the first."""
        names = [str(dig(line.found, "metadata", "name")) for line in self.lines if line.kind == "Deployment"]
        return likely if likely in names else next(iter(names), None)

    def since(self, name: str | None) -> datetime | None:
        """A moment before which nothing was of this rollout: when a new Deployment was made; None for another."""
        for line in self.lines:
            if line.kind == "Deployment" and dig(line.found, "metadata", "name") == name:
                new = dig(line.found, "metadata", "generation") == 1
                return read_time(dig(line.found, "metadata", "creationTimestamp")) if new else None
        return None


def read(path: Path) -> Stream:
    """Read a file. The times of the lines never fall, because the lines are in the order of arrival."""
    stream, last = Stream(), 0.0
    for text in path.read_text(encoding="utf-8-sig", errors="replace").splitlines():
        if text.strip():
            try:
                stream.lines.append(_line(json.loads(text), last))
                last = stream.lines[-1].t
            except (ValueError, KeyError, TypeError, AttributeError):
                stream.unreadable += 1
    return stream


def _line(seen: dict[str, Any], last: float) -> Line:
    """Parse one line; an unreadable line raises."""
    found = seen["object"]
    kind, type_ = str(found.get("kind") or seen["kind"]), str(seen.get("type") or "")
    line = Line(max(last, float(seen.get("t") or 0)), kind, found, type_)
    if line.type not in _OF_THE_WATCH:
        int(found["code"]) if line.kind == "Status" else found["metadata"]["name"]
    return line


def diagnose(path: Path) -> dict[str, Any]:
    """Replay one stream."""
    spent = time.perf_counter()
    try:
        stream = read(path)
    except OSError as error:
        return {"stream": path.name, "class": "unreadable", "known_at": None, "fault": None, "error": str(error)}
    verdict = _verdict(path, stream)
    told = {"stream": path.name, **_told(verdict), "cpu_ms": round((time.perf_counter() - spent) * 1000, 1)}
    return {**told, "unreadable_lines": stream.unreadable} if stream.unreadable else told


def _verdict(path: Path, stream: Stream) -> Verdict | None:
    name = stream.deployment(path.name.partition(".")[0])
    diagnosis, last = Diagnosis(name, since=stream.since(name)), 0.0
    for line in stream.lines:
        last = line.t
        if line.type in _OF_THE_WATCH:
            continue
        if line.kind == "Status":  # the API refused the apply itself
            return Failed(last, rejection(int(line.found["code"]), line.found, path.stem).fault)
        if verdict := diagnosis.observe(last, line.kind, line.found, deleted=line.type == "DELETED"):
            return verdict
    return diagnosis.advance(last + QUIET_SECONDS)


def _told(verdict: Verdict | None) -> dict[str, Any]:
    if isinstance(verdict, Failed):
        fault = verdict.fault
        told = fault.model_dump(mode="json", exclude_defaults=True)
        return {"class": fault.code.removeprefix("kubernetes."), "known_at": round(verdict.at, 3), "fault": told}
    known = round(verdict.at, 3) if verdict else None
    return {"class": "ok" if verdict else "undecided", "known_at": known, "fault": None}


def _files(asked: Sequence[Path]) -> Iterator[Path]:
    for path in asked:
        if path.is_dir():
            yield from sorted(found for found in path.rglob("*") if found.suffix in _SUFFIXES)
        else:
            yield path


def main() -> int:
    """Print one line for each file; 1 where one could not be read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, help="streams, or folders of them")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with the whole fault")
    asked = parser.parse_args()
    unreadable = False
    for path in _files(asked.files):
        told = diagnose(path)
        unreadable = unreadable or told["class"] == "unreadable"
        if asked.json:
            print(json.dumps(told))
        else:
            words = told["fault"]["message"] if told["fault"] else told.get("error", "")
            print(f"{told['stream']:24} {told['class']:20} {told['known_at']!s:>8} s  {words}")
    return int(unreadable)


if __name__ == "__main__":
    sys.exit(main())
