"""The fault of a run that ended, with the next actions that the call itself was answered with."""

from __future__ import annotations

from collections.abc import Mapping

from container_kit.pipelines.plan import Plan
from container_kit.pipelines.run_info import RunInfo
from container_kit.pipelines.runs.service import RunService
from container_kit.stages.contract.fault import ConfigurationError
from container_kit.tools.results.fault import complete_fault
from container_kit.tools.results.next_actions import failed_call
from container_kit.tools.tool import Tool


async def with_ready_actions(
    run: RunInfo, runs: RunService, principal: str | None, tools: Mapping[str, Tool]
) -> RunInfo:
    """Return a run whose fault has next actions that are ready to send.

    Args:
        run: The run, as a backend returned it.
        runs: The service that has the run.
        principal: The caller.
        tools: All tools that the client may call, by name.
    """
    if run.fault is None or run.fault.resume is None:
        return run
    backend = runs.backend(run.id)
    metadata = await backend.metadata(run.id, principal)
    called, arguments = metadata.get("tool"), metadata.get("arguments")
    failed = failed_call(
        tools,
        run.pipeline,
        called if isinstance(called, str) else None,
        arguments if isinstance(arguments, dict) else None,
        run=run.id,
        artifacts=await backend.artifacts(run.id, principal),
        plan=_plan(runs, run.pipeline),
    )
    return run.model_copy(update={"fault": complete_fault(run.fault, failed, runs)})


def _plan(runs: RunService, pipeline: str) -> Plan | None:
    try:
        return runs.find(pipeline)
    except ConfigurationError:  # an old run of a pipeline that no longer exists
        return None
