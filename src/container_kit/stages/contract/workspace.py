"""The workspace: which folders a run may read, and the faults of a path that it may not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from container_kit.stages.contract.fault import Evidence, FaultCode, NextAction, StageFailure, WiringError

PATH_MISSING = FaultCode("path.missing", means="The path does not exist.", hint="Give a folder that exists.")
PATH_NOT_A_DIRECTORY = FaultCode(
    "path.not_a_directory",
    means="The path is a file where a folder is needed.",
    hint="Give the folder of the repository, for example {parent}.",
)
PATH_OUTSIDE = FaultCode(
    "path.outside_workspace",
    means="The path, after following links, lies outside the allowed folders.",
    hint="Give a path below {roots}, or have the operator add the folder to CONTAINER_KIT_WORKSPACE.",
)
PATH_UNREADABLE = FaultCode(
    "path.unreadable",
    means="The server's user may not read the path.",
    hint="Give the server's user read and execute permission on the folder.",
)
PATH_INVALID = FaultCode(
    "path.invalid", means="The text is not a path.", hint="Give a plain path, without control characters."
)

FAULTS = (PATH_MISSING, PATH_NOT_A_DIRECTORY, PATH_OUTSIDE, PATH_UNREADABLE, PATH_INVALID)


class Workspace:
    """The allowed roots, resolved once.

    Args:
        roots: Folders that a caller may name, and everything below them.

    Raises:
        WiringError: No root was given.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        if not roots:
            raise WiringError("a workspace needs at least one root")
        self.roots = tuple(root.resolve() for root in roots)

    def directory(self, path: str) -> Path:
        """Resolve a caller's path to a readable folder inside the workspace.

        A relative path is taken from the first root. Links are followed before the check, so that a link cannot
        lead outside.

        Raises:
            StageFailure: One of `FAULTS`.
        """
        resolved = self._inside(path)
        try:
            if not resolved.exists():
                raise self._missing(path, resolved)
            if not resolved.is_dir():
                raise PATH_NOT_A_DIRECTORY(
                    f"{path} is not a directory",
                    next_actions=[_take(resolved.parent, f"{resolved.name} lies in this folder")],
                    parent=resolved.parent,
                )
        except PermissionError as error:
            raise PATH_UNREADABLE(f"{path} cannot be read: permission denied") from error
        except OSError as error:  # a name too long
            raise PATH_INVALID(f"{path[:80]!r} is no usable path: {error.strerror}") from error
        if not os.access(resolved, os.R_OK | os.X_OK):
            raise PATH_UNREADABLE(f"{path} cannot be read: permission denied")
        return resolved

    def _missing(self, path: str, resolved: Path) -> StageFailure:
        there = self._inside(str(resolved.parent)) if resolved not in self.roots else resolved
        folders = [entry.name for entry in there.iterdir() if entry.is_dir()] if there.is_dir() else []
        near = [resolved.parent / name for name in get_close_matches(resolved.name, folders)]
        evidence = [Evidence(kind="value", text=f"resolved to {resolved}")]
        evidence += (
            [Evidence(kind="value", text=f"folders there: {', '.join(sorted(folders)[:20])}")] if folders else []
        )
        actions = [_take(folder, f"{folder.name} is there") for folder in near]
        return PATH_MISSING(f"{path} does not exist", evidence=evidence, next_actions=actions)

    def _inside(self, path: str) -> Path:
        if not path or any(ord(character) < 32 for character in path):
            raise PATH_INVALID(f"not a path: {path[:80]!r}")
        try:
            resolved = (self.roots[0] / Path(path).expanduser()).resolve()
        except (
            OSError,
            RuntimeError,
            ValueError,
        ) as error:  # a loop of links, an unknown user, a name too long
            raise PATH_INVALID(f"{path[:80]!r} cannot be resolved: {error}") from error
        if not any(resolved.is_relative_to(root) for root in self.roots):
            roots = ", ".join(str(root) for root in self.roots)
            raise PATH_OUTSIDE(f"{path} is outside the workspace", roots=roots)
        return resolved


def below(root: Path, path: str) -> Path:
    """Resolve a path that is relative to a folder of the workspace; links may not lead out of the folder.

    Raises:
        StageFailure: `path.invalid`, `path.outside_workspace`.
    """
    if any(ord(character) < 32 for character in path):
        raise PATH_INVALID(f"not a path: {path[:80]!r}")
    try:
        found = (root / path).resolve()
        found.exists()  # raises where a name is too long
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, a loop of links, what no name can hold
        raise PATH_INVALID(f"{path[:80]!r} is no usable path") from error
    if not found.is_relative_to(root):
        raise PATH_OUTSIDE(f"{path[:200]} is outside the source", roots=str(root))
    return found


def _take(folder: Path, why: str) -> NextAction:
    return NextAction(why=why, arguments={"path": str(folder)})
