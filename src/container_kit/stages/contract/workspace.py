"""The workspace: the folders that a run may read, and the faults of paths outside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from container_kit.stages.contract.fault import ConfigurationError, Evidence, FaultCode, NextAction, StageFailure

PATH_NOT_FOUND = FaultCode(
    "path.not_found", means="The path does not exist.", hint="Use the path of an existing folder."
)
PATH_NOT_A_DIRECTORY = FaultCode(
    "path.not_a_directory",
    means="The path is a file, but a folder is required.",
    hint="Give the folder of the repository, for example {parent}.",
)
PATH_OUTSIDE_WORKSPACE = FaultCode(
    "path.outside_workspace",
    means="The path, after following symbolic links, is outside the allowed folders.",
    hint="Use a path below {roots}, or ask the operator to add the folder to CONTAINER_KIT_WORKSPACE.",
)
PATH_UNREADABLE = FaultCode(
    "path.unreadable",
    means="The server's user has no permission to read the path.",
    hint="Grant the server's user read and execute permission on the folder.",
)
PATH_INVALID = FaultCode(
    "path.invalid", means="The text is not a valid path.", hint="Use a plain path without control characters."
)

FAULTS = (PATH_NOT_FOUND, PATH_NOT_A_DIRECTORY, PATH_OUTSIDE_WORKSPACE, PATH_UNREADABLE, PATH_INVALID)


class Workspace:
    """The allowed root folders, resolved once.

    Args:
        roots: Folders that a caller may name, including everything below them.

    Raises:
        ConfigurationError: `roots` is empty.
    """

    def __init__(self, roots: Sequence[Path]) -> None:
        if not roots:
            raise ConfigurationError("a workspace needs at least one root")
        self.roots = tuple(root.resolve() for root in roots)

    def directory(self, path: str) -> Path:
        """Resolve a caller's path to a readable folder in the workspace.

        A relative path starts at the first root. Symbolic links are followed before the check, so a link cannot
        lead outside.

        Raises:
            StageFailure: One of `FAULTS`.
        """
        resolved = self._inside(path)
        try:
            if not resolved.exists():
                raise self._not_found(path, resolved)
            if not resolved.is_dir():
                raise PATH_NOT_A_DIRECTORY(
                    f"{path} is not a directory",
                    next_actions=[_use_folder(resolved.parent, f"{resolved.name} is in this folder")],
                    parent=resolved.parent,
                )
        except PermissionError as error:
            raise PATH_UNREADABLE(f"{path} cannot be read: permission denied") from error
        except OSError as error:  # a name too long
            raise PATH_INVALID(f"{path[:80]!r} is not a valid path: {error.strerror}") from error
        if not os.access(resolved, os.R_OK | os.X_OK):
            raise PATH_UNREADABLE(f"{path} cannot be read: permission denied")
        return resolved

    def _not_found(self, path: str, resolved: Path) -> StageFailure:
        parent = self._inside(str(resolved.parent)) if resolved not in self.roots else resolved
        folders = [entry.name for entry in parent.iterdir() if entry.is_dir()] if parent.is_dir() else []
        similar = [resolved.parent / name for name in get_close_matches(resolved.name, folders)]
        evidence = [Evidence(kind="value", text=f"resolved to {resolved}")]
        if folders:
            text = f"existing folders: {', '.join(sorted(folders)[:20])}"
            evidence.append(Evidence(kind="value", text=text))
        actions = [_use_folder(folder, f"{folder.name} exists") for folder in similar]
        return PATH_NOT_FOUND(f"{path} does not exist", evidence=evidence, next_actions=actions)

    def _inside(self, path: str) -> Path:
        if not path or any(ord(character) < 32 for character in path):
            raise PATH_INVALID(f"{path[:80]!r} is not a valid path")
        try:
            resolved = (self.roots[0] / Path(path).expanduser()).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a link loop, an unknown user, a name too long
            raise PATH_INVALID(f"{path[:80]!r} cannot be resolved: {error}") from error
        if not any(resolved.is_relative_to(root) for root in self.roots):
            roots = ", ".join(str(root) for root in self.roots)
            raise PATH_OUTSIDE_WORKSPACE(f"{path} is outside the workspace", roots=roots)
        return resolved


def below(root: Path, path: str) -> Path:
    """Resolve a path relative to a folder of the workspace. Symbolic links must not lead out of the folder.

    Raises:
        StageFailure: `path.invalid`, `path.outside_workspace`.
    """
    if any(ord(character) < 32 for character in path):
        raise PATH_INVALID(f"{path[:80]!r} is not a valid path")
    try:
        resolved = (root / path).resolve()
        resolved.exists()  # raises if a name is too long
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, a link loop, a NUL byte
        raise PATH_INVALID(f"{path[:80]!r} is not a valid path") from error
    if not resolved.is_relative_to(root):
        raise PATH_OUTSIDE_WORKSPACE(f"{path[:200]} is outside the source", roots=str(root))
    return resolved


def _use_folder(folder: Path, why: str) -> NextAction:
    return NextAction(why=why, arguments={"path": str(folder)})
