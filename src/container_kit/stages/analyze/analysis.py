"""Analyze a tree in one pass. The code is synchronous and only reads files."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from container_kit.stages.analyze.assemble import DescribedModule, describe, finalize
from container_kit.stages.analyze.deployment_files.index import Deployments, read_deployments
from container_kit.stages.analyze.discovery import Discovery, discover
from container_kit.stages.analyze.evidence.risks import risks
from container_kit.stages.analyze.selection import select
from container_kit.stages.analyze.truncate import bounded
from container_kit.stages.artifacts.analysis import Analysis, DeploymentFile, Module
from container_kit.stages.ecosystems.catalog import catalog
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.facets.detection.module_tree import ModuleTree


def analyze(root: Path, module: str = ".", *, today: date | None = None) -> Analysis:
    """Analyze a folder.

    Args:
        root: An existing folder; nothing outside it is read.
        module: The folder below it to analyze, `.` for all.
        today: The day for end-of-life checks; today by default.
    """
    tree = ModuleTree(root, catalog().tool_folders)
    deployments = read_deployments(tree)
    start = "" if module == "." else module.strip("/")
    discovery = discover(tree, deployments.homes(tree), start)
    described = [
        describe(Folder(tree, path, discovery.folders - {path}), candidate, deployments)
        for path, candidate in discovery.candidates.items()
    ]
    chosen, libraries = select(described, discovery)
    modules = tuple(finalize(one, deployments) for one in chosen)
    unlocked = frozenset(one.folder.path or "." for one in chosen if not one.draft.locked and one.draft.dependencies)
    broken = {message: place for one in chosen for message, place in one.draft.broken.items()}
    day = today or date.today()  # noqa: DTZ011 - a date without a time zone
    analysis = Analysis(
        root=str(root),
        modules=modules,
        libraries=libraries,
        workspace_tool=discovery.workspace_tool,
        files=_files(deployments, modules),
        risks=risks(tree, modules, deployments, unlocked, broken, day),
        unread=tuple(f"{problem.path}: {problem.reason}"[:200] for problem in list(tree.problems.values())[:20]),
        question=_question(tree, modules),
    )
    return bounded(analysis, left_out=discovery.left_out, cut_short=tree.cut_short)


def _files(deployments: Deployments, modules: tuple[Module, ...]) -> tuple[DeploymentFile, ...]:
    """Return the deployment files, each with the innermost module that contains it."""
    paths = {module.path for module in modules}
    named = {c.dockerfile: c.path or "." for c in deployments.contexts if (c.path or ".") in paths}

    def owner(path: str) -> str | None:
        if path in named:
            return named[path]
        folder = path.rpartition("/")[0]
        while folder and folder not in paths:
            folder = folder.rpartition("/")[0]
        return folder or ("." if "." in paths else None)

    return tuple(file.model_copy(update={"module": owner(file.path)}) for file in deployments.files)


def _question(tree: ModuleTree, modules: tuple[Module, ...]) -> str | None:
    if modules:
        return None
    if not tree.files:
        return "The folder holds no files; which folder is meant?"
    return "No application was recognised; in which folder is it, and which command starts it?"


__all__ = ["DescribedModule", "Discovery", "analyze"]
