"""Extended attributes of files."""

from __future__ import annotations

import os
import sys

_NOT_COPIED = ("system.", "security.selinux")
"""Attributes that belong to the kernel or to SELinux."""

if sys.platform == "linux":

    def read_xattrs(path: str) -> dict[str, bytes]:
        """Read the extended attributes of a file, without following a link. Empty if they cannot be read."""
        try:
            names = [name for name in os.listxattr(path, follow_symlinks=False) if not name.startswith(_NOT_COPIED)]
            return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
        except OSError:
            return {}  # the file system has none, or only root may read one

else:

    def read_xattrs(path: str) -> dict[str, bytes]:  # noqa: ARG001 - the same interface as on Linux
        """Return no attributes: Linux rejects the namespaces of other systems, such as `com.apple`."""
        return {}
