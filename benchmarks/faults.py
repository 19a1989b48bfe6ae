"""Report how many recorded failures get a class, and how many first next actions can be sent.

The failures are the outputs of real programs that `tests/support/failures` provoked. An action can be sent if its tool
exists and accepts its arguments, and if it is not the call that failed. `tests/repairs` measures whether it repairs.

    python benchmarks/faults.py --json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))

from container_kit.stages.contract.fault import Fault, Resume  # noqa: E402
from container_kit.stages.deploy.failures import explain_crash  # noqa: E402
from container_kit.stages.deploy.failures.crash import Crash, fold  # noqa: E402
from container_kit.tools.registry import ALL  # noqa: E402
from container_kit.tools.results.next_actions import FailedCall, ready_actions  # noqa: E402
from support.failures.crash_cases import CASES  # noqa: E402
from support.failures.explain_recording import RECORDINGS, explain_recording  # noqa: E402
from support.failures.record_crashes import CRASHES, write_files  # noqa: E402

GENERIC = frozenset({"build.step_failed", "build.failed", "deploy.exited"})


def build_faults() -> dict[str, Fault]:
    """Return the faults of the recorded builds."""
    return {path.stem: explain_recording(_read(path)) for path in sorted(RECORDINGS.glob("*.toml"))}


def crash_faults() -> dict[str, Fault]:
    """Return the faults of the recorded containers that ended."""
    faults = {}
    for case in CASES:
        path = CRASHES / f"{case.name}.toml"
        if not path.exists():
            continue
        recording = _read(path)
        with tempfile.TemporaryDirectory() as folder:
            write_files(case, Path(folder))
            crash = Crash("shop", "shop:1", fold(recording["log"]), recording["exit_code"], "65534", Path(folder))
            failure = explain_crash(crash)
        faults[case.name] = failure.fault if failure else Fault(code="deploy.exited", message="it ended")
    return faults


def report(faults: dict[str, Fault], tool: str) -> dict[str, Any]:
    """Return the figures of one group of faults."""
    classified = [name for name, fault in faults.items() if fault.code not in GENERIC]
    sendable = [name for name, fault in faults.items() if _first_action(fault, tool)]
    return {
        "failures": len(faults),
        "classes": len({fault.code for fault in faults.values()} - GENERIC),
        "classified": round(len(classified) / len(faults), 3),
        "without_class": sorted(faults.keys() - classified),
        "first_action_can_be_sent": round(len(sendable) / len(faults), 3),
        "first_action_cannot_be_sent": sorted(faults.keys() - sendable),
        "located": sum(any(item.kind == "file" and item.where for item in fault.evidence) for fault in faults.values()),
        "by_class": dict(Counter(fault.code for fault in faults.values()).most_common()),
    }


def _first_action(fault: Fault, tool: str) -> bool:
    tools = {str(item.name): item for item in ALL}
    sent = {"path": "shop"}
    stages = ("analyze", "write-dockerfile", "build", "scan-image", "deploy")
    call = FailedCall(tool, tools, sent, "0" * 24, stages=stages)
    failed = fault.model_copy(update={"stage": "deploy", "resume": Resume(run_id="0" * 24, stage="deploy")})
    actions = ready_actions(failed, call)
    return bool(actions) and (actions[0].tool, dict(actions[0].arguments)) != (tool, sent)


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    as_json = parser.parse_args().json
    figures = {
        "builds": report(build_faults(), "full-deployment"),
        "containers": report(crash_faults(), "full-deployment"),
    }
    if as_json:
        print(json.dumps(figures, indent=2))
        return
    for group, values in figures.items():
        shares = f"{values['classified']:.1%} classified, {values['first_action_can_be_sent']:.1%} with an action"
        print(f"{group}: {values['failures']} failures, {values['classes']} classes, {shares}")


if __name__ == "__main__":
    main()
