"""The stage that analyzes a source tree."""

from __future__ import annotations

from pathlib import Path

import anyio
import anyio.to_thread

from container_kit.stages.analyze.analysis import analyze
from container_kit.stages.artifacts.analysis import Analysis
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction
from container_kit.stages.contract.isolation import LIMIT_EXCEEDED, run_isolated
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.contract.workspace import FAULTS as PATH_FAULTS

EMPTY = FaultCode(
    "analyze.empty",
    means="The folder holds no files.",
    hint="Put the application's files into {path}, or give the folder that holds them.",
)
MODULE_MISSING = FaultCode(
    "analyze.module_missing",
    means="The source tree has no folder at the module's path.",
    hint="Give a module's path as the analysis of the whole tree names it, for example {example}.",
)


class Analyze(Stage[Analysis]):
    """Find the modules of a repository and how they run."""

    name = "analyze"
    read_only = True
    timeout = 60.0
    faults = (EMPTY, MODULE_MISSING, LIMIT_EXCEEDED, *PATH_FAULTS)

    async def validate(self, ctx: StageContext, source: Source) -> None:
        """Check that the folder exists and may be read."""
        ctx.workspace.directory(source.path)

    async def execute(self, ctx: StageContext, source: Source) -> Analysis:
        """Analyze the tree, in a server in a worker process.

        Raises:
            StageFailure: The folder is empty or may not be read, the module's folder does not exist, or the analysis
                takes too long.
        """
        root = ctx.workspace.directory(source.path)
        ctx.progress("reading the source tree")
        await anyio.to_thread.run_sync(_check, root, source)
        analysis = await run_isolated(analyze, root, source.module)
        ctx.progress(_summary(analysis), 1.0)
        return analysis


def _check(root: Path, source: Source) -> None:
    inner = (root / source.module).resolve()
    if not inner.is_relative_to(root) or not inner.is_dir():
        raise MODULE_MISSING(
            f"{source.path} has no folder {source.module}",
            example="'.'",
            next_actions=[NextAction(why="Analyze the whole tree to see its modules.", arguments={"module": "."})],
        )
    if next((entry for entry in inner.iterdir() if entry.name != ".git"), None) is None:
        raise EMPTY(
            f"{inner} is empty",
            path=inner,
            evidence=[Evidence(kind="value", text="no files but .git, if that")],
            next_actions=[NextAction(why=f"Put the application's files into {inner}, then retry the run.")],
        )


def _summary(analysis: Analysis) -> str:
    if not analysis.modules:
        return "no application found"
    shown = [
        f"{module.path} ({module.framework.value or module.language.value or 'unknown'})"
        for module in analysis.modules[:4]
    ]
    return f"found {len(analysis.modules)} module{'s'[: len(analysis.modules) > 1]}: {', '.join(shown)}"
