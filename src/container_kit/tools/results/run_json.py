"""Runs as JSON and as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import JsonValue

from container_kit.pipelines.run_info import LogPart, RunInfo
from container_kit.stages.contract.fault import Fault, NextAction
from container_kit.stages.contract.tool_names import ToolName
from container_kit.stages.contract.untrusted_text import one_line
from container_kit.tools.results.success import compact, stage_json

_SUBJECT_WIDTH, _CAUSE_WIDTH = 80, 120
RUN_SCHEMA: dict[str, Any] = {"type": "object", "required": ["id"]}


def run_json(run: RunInfo) -> dict[str, JsonValue]:
    """Return a run without empty fields."""
    data: dict[str, JsonValue] = compact(
        {
            "id": run.id,
            "pipeline": run.pipeline,
            "status": run.status,
            "created": iso_time(run.created),
            "updated": iso_time(run.updated),
            "message": run.message,
            "question": run.question,
            "retry_of": run.retry_of,
            "rolls_back": run.rolls_back,
            "fault": _fault_json(run.id, run.fault) if run.fault else None,
        }
    )
    if not run.finished:
        data |= {"progress": round(run.progress, 3), "stage": run.stage}
    if run.stages:
        data["stages"] = [stage_json(stage) for stage in run.stages]
    return data


def run_entry(run: RunInfo) -> dict[str, JsonValue]:
    """Return a run as an entry of a list: what it was about, how long it took, and one line of its cause."""
    cause = f"{run.fault.code}: {run.fault.message}" if run.fault else ""
    entry: dict[str, JsonValue] = compact(
        {
            "id": run.id,
            "pipeline": run.pipeline,
            "status": run.status,
            **{key: _shorten(value, _SUBJECT_WIDTH) for key, value in run.subject.items()},
            "created": iso_time(run.created),
            "seconds": round(run.updated - run.created, 1) if run.finished else None,
            "cause": _shorten(cause, _CAUSE_WIDTH),
            "question": _shorten(run.question or "", _CAUSE_WIDTH),
            "stage": None if run.finished else run.stage,
            "retry_of": run.retry_of,
            "rolls_back": run.rolls_back,
        }
    )
    return entry


def _shorten(text: str, width: int) -> str:
    line = one_line(text)
    return line if len(line) <= width else line[: width - 1] + "…"


def log_json(part: LogPart) -> dict[str, JsonValue]:
    """Return lines of a log."""
    return {"lines": list(part.lines), "first": part.first, "total": part.total}


def _fault_json(run_id: str, fault: Fault) -> dict[str, Any]:
    """Return a fault whose next actions do not depend on the arguments of the failed call, unless they are ready."""
    actions = tuple(
        action
        if action.tool
        else NextAction(
            tool=ToolName.RETRY_RUN,
            arguments={"run": run_id} | ({"input": dict(action.arguments)} if action.arguments else {}),
            why=action.why,
        )
        for action in fault.next_actions
    )
    return fault.model_copy(update={"next_actions": actions}).model_dump(mode="json")


def run_line(run: RunInfo) -> str:
    """Return one line about a run: its id, what it was about, and its state with one line of the cause."""
    entry = run_entry(run)
    cause = entry.get("cause") or entry.get("question") or one_line(_news(run))
    return f"{_head(run, entry)} - {cause}" if cause else _head(run, entry)


def _head(run: RunInfo, entry: Mapping[str, JsonValue]) -> str:
    about = entry.get("application") or entry.get("repository") or entry.get("source") or entry.get("image")
    what = f"{run.pipeline} of {about}" if about else run.pipeline
    module = f" ({entry['module']})" if "module" in entry else ""
    took = f" in {entry['seconds']} s" if "seconds" in entry else ""
    return f"{run.id} {iso_time(run.created)} {what}{module}: {run.status}{took}"


def _news(run: RunInfo) -> str:
    """Return the newest message, without what every last message of a finished run repeats."""
    return run.message.removeprefix(f"{run.pipeline}: {run.status}").strip()


def run_lines(run: RunInfo) -> list[str]:
    """Return lines about a run, its stages and its fault."""
    lines = [_head(run, run_entry(run))]
    if not run.fault and (news := _news(run)):
        lines.append(one_line(news))
    for stage in run.stages:
        seconds = f" {stage.seconds:.1f} s" if stage.seconds else ""
        attempts = f", {stage.attempts} attempts" if stage.attempts > 1 else ""
        lines.append(f"- {stage.name}: {stage.status}{seconds}{attempts}")
    lines += [f"question: {run.question}"] if run.question else []
    if run.fault:
        lines += [f"fault {run.fault.code}: {run.fault.message}", f"hint: {run.fault.hint}"]
        lines += action_lines(run.fault)
    return lines


def action_lines(fault: Fault) -> list[str]:
    """Return the next actions of a fault, one line each."""
    lines = []
    for number, action in enumerate(fault.next_actions, 1):
        if action.tool:
            arguments = json.dumps(action.arguments, ensure_ascii=False)
            lines.append(f"next {number}: {action.tool} {one_line(arguments)}: {one_line(action.why)}")
    return lines


def iso_time(seconds: float) -> str:
    """Return seconds since the epoch as an ISO 8601 time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
