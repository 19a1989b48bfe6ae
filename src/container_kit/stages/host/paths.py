"""Paths and modes of files, and the folders of a user."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""Flags to read a file: not inherited by child processes, and without translation of line ends."""

if sys.platform == "win32":
    _LONG = "\\\\?\\"

    def join(root: str, path: str) -> str:
        """Return the path of a file below an absolute folder. It may be longer than 260 characters.

        Args:
            root: The absolute folder.
            path: Relative, with `/` as the separator; empty for the folder itself.
        """
        inside = root.rstrip("\\/") + ("\\" + path.replace("/", "\\") if path else "")
        if inside.startswith(_LONG):
            return inside
        return f"{_LONG}UNC\\{inside[2:]}" if inside.startswith("\\\\") else _LONG + inside

    _DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    _NUMBERED_DEVICES = ("COM", "LPT")

    def is_plain_name(name: str) -> bool:
        """Return whether a name is that of a file in its folder.

        A backslash or a colon would lead to another folder, drive or data stream; a device is not a file; the system
        drops dots and spaces at the end, so that another file would be opened.
        """
        stem = name.partition(".")[0].rstrip().upper()
        is_device = stem in _DEVICES or (len(stem) == 4 and stem.startswith(_NUMBERED_DEVICES))
        return not (is_device or "\\" in name or ":" in name or name != name.rstrip(". ")) or name in (".", "..")

    def permission_bits(mode: int) -> int:
        """Return the permission bits for an image: all files are executable, as the docker command sends them."""
        return (stat.S_IMODE(mode) | 0o111) & 0o755

    def link_text(target: str) -> str:
        """Return the target of a symbolic link as Linux writes it."""
        return target.removeprefix(_LONG).replace("\\", "/")

    def runtime_folders() -> tuple[Path, ...]:
        """Return no folders: sockets and logins of this kind do not exist here."""
        return ()

else:

    def join(root: str, path: str) -> str:
        """Return the path of a file below an absolute folder.

        Args:
            root: The absolute folder.
            path: Relative, with `/` as the separator; empty for the folder itself.
        """
        return f"{root.rstrip('/')}/{path}" if path else root

    def is_plain_name(name: str) -> bool:  # noqa: ARG001 - the same interface as on Windows
        """Return whether a name is that of a file in its folder: any name without a slash is."""
        return True

    def permission_bits(mode: int) -> int:
        """Return the permission bits for an image: those of the file."""
        return stat.S_IMODE(mode)

    def link_text(target: str) -> str:
        """Return the target of a symbolic link as Linux writes it."""
        return target

    def runtime_folders() -> tuple[Path, ...]:
        """Return the folders for sockets and logins of this user's programs, the most specific first."""
        if folder := os.environ.get("XDG_RUNTIME_DIR"):
            return (Path(folder),)
        return (Path(f"/run/user/{os.getuid()}"),)
