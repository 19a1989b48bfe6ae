"""Streams recorded on a real control plane with a real kubelet: each gives its class, in time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from container_kit.stages.deploy.kubernetes.rollout.diagnosis import Diagnosis, Failed, Succeeded, Verdict
from container_kit.stages.deploy.kubernetes.rollout.symptoms.symptom import PERSISTENT, SCHEDULING

STREAMS = Path(__file__).parent / "streams"
ROOT = Path(__file__).parents[4]


def recorded(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (STREAMS / f"{name}.jsonl").read_text().splitlines()]


def replay(name: str) -> Verdict | None:
    diagnosis, t = Diagnosis(), 0.0
    for seen in recorded(name):
        t = seen["t"]
        diagnosis.observe(t, seen["kind"], seen["object"])
    return diagnosis.advance(t + 60)


def event_with(words: str, count: int = 1) -> Any:
    return lambda seen: (
        seen["kind"] == "Event" and words in seen["object"]["message"] and (seen["object"].get("count") or 1) >= count
    )


def second_end(seen: dict[str, Any]) -> bool:
    status = seen["object"].get("status", {})
    containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    return any(found["restartCount"] >= 1 and "terminated" in found["state"] for found in containers)


def first_end(seen: dict[str, Any]) -> bool:
    return any(
        "terminated" in found["state"] for found in seen["object"].get("status", {}).get("containerStatuses", [])
    )


# The first decisive signal as the rules define it, found in the raw stream, and the grace that the rules give it.
DECISIVE = [
    ("badarch", "bad_arch", first_end, 0),
    ("cm-vol-missing", "volume_not_found", event_with("MountVolume.SetUp failed", count=2), 0),
    ("cpu-huge", "unschedulable", event_with("Insufficient cpu"), SCHEDULING),
    ("crash", "crash", second_end, 0),
    ("exit0", "exited_zero", second_end, 0),
    ("img-404", "image_not_found", event_with("not found"), 0),
    ("img-badname", "image_name_invalid", event_with("InvalidImageName"), 0),
    ("img-never", "image_never_pull", event_with("pull policy of Never"), 0),
    ("img-refused", "image_refused", event_with("connection refused"), PERSISTENT),
    ("init-fail", "init_failed", second_end, 0),
    ("live-fail", "probe_liveness", event_with("failed liveness probe"), 0),
    ("nodesel", "unschedulable", event_with("didn't match Pod's node affinity"), SCHEDULING),
    ("oom", "oom", second_end, 0),
    ("psa", "pod_security", event_with("violates PodSecurity"), 0),
    ("pvc-missing", "unschedulable", event_with("persistentvolumeclaim"), SCHEDULING),
    ("ready-503", "probe_readiness", event_with("statuscode: 404", count=3), 0),
    ("ready-refused", "probe_readiness", event_with("connection refused", count=3), 0),
    ("secret-missing", "config_not_found", event_with('secret "nope" not found', count=2), 0),
]


@pytest.mark.parametrize(("name", "cause", "is_decisive", "grace"), DECISIVE)
def test_a_recorded_failure_is_reported_within_a_second_of_its_decisive_signal(
    name: str, cause: str, is_decisive: Any, grace: float
) -> None:
    signal = next(seen["t"] for seen in recorded(name) if is_decisive(seen))
    verdict = replay(name)
    assert isinstance(verdict, Failed)
    assert verdict.fault.code == f"kubernetes.{cause}"
    assert verdict.at - (signal + grace) <= 1
    assert verdict.fault.evidence
    assert verdict.fault.hint
    assert "{" not in verdict.fault.hint


def test_every_recorded_stream_is_covered() -> None:
    assert {path.stem for path in STREAMS.glob("*.jsonl")} == {name for name, *_ in DECISIVE} | {"ok"}


def test_a_rollout_that_works_is_a_success_once_it_stayed_so() -> None:
    complete = recorded("ok")[-1]["t"]
    verdict = replay("ok")
    assert isinstance(verdict, Succeeded)
    assert complete + 5 <= verdict.at <= complete + 6


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("crash", "DATABASE_URL is not set"),
        ("cpu-huge", "Insufficient cpu"),
        ("secret-missing", "nope"),
        ("img-404", "hk8-none:1"),
        ("psa", "privileged"),
        ("pvc-missing", "zz"),
        ("live-fail", "404"),
    ],
)
def test_the_evidence_carries_what_the_cluster_said(name: str, words: str) -> None:
    verdict = replay(name)
    assert isinstance(verdict, Failed)
    assert words in " ".join(evidence.text for evidence in verdict.fault.evidence)


@pytest.mark.parametrize("name", [name for name, *_ in DECISIVE])
def test_objects_that_arrive_in_another_order_give_the_same_class(name: str) -> None:
    """The watches are separate streams: their events reach us in any order within a moment."""
    seen = recorded(name)
    seen.sort(key=lambda event: (round(event["t"]), event["kind"], event["t"]))
    diagnosis = Diagnosis()
    for event in seen:
        diagnosis.observe(round(event["t"]), event["kind"], event["object"])
    verdict = diagnosis.advance(100)
    expected = replay(name)
    assert isinstance(verdict, Failed)
    assert isinstance(expected, Failed)
    assert verdict.fault.code == expected.fault.code


def test_the_benchmark_prints_one_json_object_for_each_stream_of_a_folder(tmp_path: Path) -> None:
    for name in ("ok", "crash"):
        (tmp_path / f"{name}.jsonl").write_text((STREAMS / f"{name}.jsonl").read_text())
    crash, ok = printed_for(tmp_path)
    assert (ok["stream"], ok["class"], ok["fault"]) == ("ok.jsonl", "ok", None)
    assert (crash["class"], crash["fault"]["code"]) == ("crash", "kubernetes.crash")
    assert crash["known_at"] < 4.8


def test_the_benchmark_reads_on_where_a_line_is_broken_or_only_of_the_watch(tmp_path: Path) -> None:
    lines = (STREAMS / "crash.jsonl").read_text().splitlines()
    gone = {"t": 0.5, "type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
    bookmark = {"t": 0.6, "type": "BOOKMARK", "object": {"kind": "Pod", "metadata": {"resourceVersion": "9"}}}
    other = {"t": 0.0, "object": {"kind": "Deployment", "metadata": {"name": "another"}}}
    broken = [json.dumps(other), lines[0][:40], "[]", '{"t": 1}', json.dumps(gone), json.dumps(bookmark), ""]
    (tmp_path / "crash.jsonl").write_text("\ufeff" + "\n".join([*broken, *lines]))
    (told,) = printed_for(tmp_path)
    assert (told["class"], told["unreadable_lines"]) == ("crash", 3)


def printed_for(path: Path) -> list[dict[str, Any]]:
    command = [sys.executable, str(ROOT / "benchmarks/diagnose.py"), str(path), "--json"]
    printed = subprocess.run(command, capture_output=True, text=True, timeout=50, check=True).stdout
    return [json.loads(line) for line in printed.splitlines()]
