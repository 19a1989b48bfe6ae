"""Runs as structured answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import JsonValue

from container_kit.pipelines.runs.snapshot import RunView
from container_kit.stages.contract.fault import Fault, NextAction
from container_kit.stages.contract.tool_names import ToolName
from container_kit.tools.results.success import compact, stage_data

RUN_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("id", "pipeline", "status")},
    "required": ["id", "status"],
}


def run_data(run: RunView) -> dict[str, JsonValue]:
    """A run without what is empty."""
    data: dict[str, JsonValue] = compact(
        {
            "id": run.id,
            "pipeline": run.pipeline,
            "status": run.status,
            "created": iso(run.created),
            "updated": iso(run.updated),
            "message": run.message,
            "question": run.question,
            "retry_of": run.retry_of,
            "rolls_back": run.rolls_back,
            "fault": _fault_data(run.id, run.fault) if run.fault else None,
        }
    )
    if not run.finished:
        data |= {"progress": round(run.progress, 3), "stage": run.stage}
    if run.stages:
        data["stages"] = [stage_data(stage) for stage in run.stages]
    return data


def _fault_data(run_id: str, fault: Fault) -> dict[str, Any]:
    """A fault whose actions can be sent without knowing the arguments of the call that failed."""
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


def run_line(run: RunView) -> str:
    """One line about a run."""
    ended = f"{run.pipeline}: {run.status}"
    message = run.message.removeprefix(ended)  # the last message of a run that ended says the same
    return f"{run.id} {iso(run.created)} {ended} {message}".rstrip()


def run_lines(run: RunView) -> list[str]:
    """A run and its stages."""
    lines = [run_line(run)]
    for stage in run.stages:
        took = f" {stage.seconds:.1f} s" if stage.seconds else ""
        attempts = f", {stage.attempts} attempts" if stage.attempts > 1 else ""
        lines.append(f"- {stage.name}: {stage.status}{took}{attempts}")
    lines += [f"asks: {run.question}"] if run.question else []
    lines += [f"fault {run.fault.code}: {run.fault.message}", f"hint: {run.fault.hint}"] if run.fault else []
    return lines


def iso(time: float) -> str:
    """Seconds since the epoch as an ISO 8601 time in UTC."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
