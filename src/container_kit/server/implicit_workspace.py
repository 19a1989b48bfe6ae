"""The workspace of a server that was given none: its current folder, unless that holds more than a project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from container_kit.server.settings import Settings
from container_kit.stages.contract.fault import ConfigurationError

_USER_FOLDERS = ("Desktop", "Documents", "Downloads", "OneDrive", "Library")


def require_narrow_workspace(settings: Settings) -> None:
    """Reject an implicit workspace that is a whole disk, a home folder or a desktop.

    Clients start servers in such folders: Claude Desktop on macOS, for example, in `/`.

    Raises:
        ConfigurationError: It names the setting and the command that set a workspace.
    """
    if "workspace" in settings.model_fields_set:
        return
    for folder in settings.workspace:
        if any(_is_same(folder, broad) for broad in _broad_folders(folder)):
            raise ConfigurationError(
                f"the current folder, {folder}, is too broad for a workspace: it holds more than projects. Set "
                "CONTAINER_KIT_WORKSPACE to the folder of your repositories, or register the server again with "
                "`container-kit install CLIENT --workspace FOLDER`"
            )


def _broad_folders(folder: Path) -> Iterator[Path]:
    yield Path(folder.anchor)
    home = Path.home()
    yield from (home, *home.parents)
    yield from (home / name for name in _USER_FOLDERS)
    yield from (home / "OneDrive" / name for name in _USER_FOLDERS)
    yield from (folder for folder in map(Path, ("/mnt", "/Volumes", "/Users", "/home", "/root", "/etc", "/usr")))
    if folder.parent in (Path("/mnt"), Path("/Volumes")):  # a drive in WSL or on macOS
        yield folder


def _is_same(folder: Path, broad: Path) -> bool:
    try:
        return folder == broad or folder.samefile(broad)
    except OSError:
        return False
