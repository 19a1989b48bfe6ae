"""Tell for each recorded watch stream what became of the rollout, and at which second that was known.

A stream is a JSON-lines file; each line has `t` (seconds since the apply), `kind` (or `object.kind`), `object`, and
perhaps `type` (ADDED, MODIFIED, DELETED). After the last line nothing more is seen: time goes on, the state stays.

    python benchmarks/diagnose.py tests/stages/kubernetes/streams/*.jsonl --json
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from container_kit.stages.kubernetes.api_faults import refusal
from container_kit.stages.kubernetes.diagnosis import Diagnosis, Failed, Verdict

QUIET_SECONDS = 400.0


def diagnose(path: Path) -> dict[str, Any]:
    """Replay one stream."""
    diagnosis = Diagnosis()
    last, spent = 0.0, time.perf_counter()
    for line in path.read_text().splitlines():
        if not line.strip():
            continue
        seen = json.loads(line)
        last = max(last, float(seen["t"]))
        kind = seen.get("kind") or seen["object"]["kind"]
        if kind == "Status":  # the API refused the apply itself
            refused = refusal(seen["object"].get("code", 500), seen["object"], path.stem)
            return {"stream": path.name, **_told(Failed(last, refused.fault)), "cpu_ms": 0.0}
        if diagnosis.observe(last, kind, seen["object"], deleted=seen.get("type") == "DELETED"):
            break
    verdict = diagnosis.advance(last + QUIET_SECONDS)
    return {"stream": path.name, **_told(verdict), "cpu_ms": round((time.perf_counter() - spent) * 1000, 1)}


def _told(verdict: Verdict | None) -> dict[str, Any]:
    if isinstance(verdict, Failed):
        fault = verdict.fault
        told = fault.model_dump(mode="json", exclude_defaults=True)
        return {"class": fault.code.removeprefix("kubernetes."), "known_at": round(verdict.at, 3), "fault": told}
    known = round(verdict.at, 3) if verdict else None
    return {"class": "ok" if verdict else "undecided", "known_at": known, "fault": None}


def main() -> None:
    """Print one line for each file that is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON object a line, with the whole fault")
    asked = parser.parse_args()
    for path in asked.files:
        told = diagnose(path)
        if asked.json:
            print(json.dumps(told))
        else:
            words = told["fault"]["message"] if told["fault"] else ""
            print(f"{told['stream']:24} {told['class']:20} {told['known_at']!s:>8} s  {words}")


if __name__ == "__main__":
    main()
