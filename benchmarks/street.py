"""How many applications of other people reach their own page with one call of `full-deployment`.

    python benchmarks/street.py [--json] [--only PATTERN] [--list]

The applications are those of `tests/street`. Each is made in a temporary folder, deployed, visited and removed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import statistics
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
from docker import APIClient

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from street.application import Application
from street.catalog import APPLICATIONS
from street.deployment import Outcome, deploy

BAR = 0.95


async def visit_all(applications: list[Application], folder: Path, api: APIClient) -> list[Outcome]:
    """Deploy one application after the other, with a line for each."""
    outcomes = []
    for number, application in enumerate(applications, start=1):
        outcome = await deploy(application, folder, f"ck-street-{uuid.uuid4().hex[:8]}", api)
        outcomes.append(outcome)
        print(f"{number}/{len(applications)} {outcome.line}", file=sys.stderr, flush=True)
    return outcomes


def figures(outcomes: list[Outcome]) -> Iterator[dict[str, Any]]:
    """Yield the shares, and the times of the calls."""
    groups = {"all": outcomes}
    for outcome in outcomes:
        groups.setdefault(outcome.application.ecosystem, []).append(outcome)
        groups.setdefault(f"{outcome.application.ecosystem}, {outcome.application.manager}", []).append(outcome)
    for name, members in groups.items():
        share = sum(outcome.holds for outcome in members) / len(members)
        yield _figure(f"applications that hold ({name}: {len(members)})", round(share, 3), "share", BAR, share >= BAR)
    failed = [outcome for outcome in outcomes if outcome.fault]
    if failed:
        same = sum(outcome.same_call for outcome in failed) / len(failed)
        yield _figure("faults whose first next action is the same call", round(same, 3), "share", 0.0, same == 0)
    seconds = [outcome.seconds for outcome in outcomes if outcome.seconds]
    if seconds:
        yield _figure("seconds per application, median", round(statistics.median(seconds), 1), "s", None, None)
        yield _figure("seconds per application, worst", round(max(seconds), 1), "s", None, None)


def _figure(figure: str, value: float, unit: str, bar: float | None, holds: bool | None) -> dict[str, Any]:
    return {"figure": figure, "value": value, "unit": unit, "bar": bar, "holds": holds}


def main() -> int:
    """Print the figures; return 1 if one does not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--only", metavar="PATTERN", default="", help="a regular expression for names")
    parser.add_argument("--list", action="store_true", help="only print the names")
    parser.add_argument("--faults", metavar="FILE", type=Path, help="write the faults to this file")
    arguments = parser.parse_args()
    chosen = [one for one in APPLICATIONS if re.search(arguments.only, one.name)]
    if arguments.list:
        print("\n".join(one.name for one in chosen))
        return 0
    with tempfile.TemporaryDirectory(prefix="ck-street-", ignore_cleanup_errors=True) as folder:
        os.environ["CONTAINER_KIT_HOME"] = f"{folder}/state"
        (work := Path(folder) / "work").mkdir()
        with contextlib.closing(APIClient(version="auto", timeout=60)) as api:
            outcomes = anyio.run(visit_all, chosen, work, api)
    if arguments.faults:
        known = {outcome.application.name: outcome.fault for outcome in outcomes if outcome.fault}
        arguments.faults.write_text(json.dumps(known, indent=1))
    rows = list(figures(outcomes))
    if arguments.json:
        print(json.dumps(rows, indent=1))
    else:
        for outcome in sorted(outcomes, key=lambda one: (one.holds, one.application.name)):
            print(outcome.line)
        for row in rows:
            print(f"{row['figure']}: {row['value']} {row['unit']}")
    return int(any(row["holds"] is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
