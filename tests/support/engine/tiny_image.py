"""An image of one megabyte, for tests that need some container and not a certain one."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Mapping

from docker import APIClient

from support.skip_policy import cannot_run

_APPLETS = ("cat", "dd", "echo", "env", "false", "httpd", "id", "ls", "nc", "sh", "sleep", "touch", "true", "wget")


def import_tiny_image(api: APIClient, reference: str, *, labels: Mapping[str, str] | None = None) -> None:
    """Import busybox under a name: a shell, `sleep`, `httpd`, `wget`; it runs `sleep infinity`.

    Args:
        api: The engine to import it into.
        reference: `name:tag`.
        labels: Labels that it carries.
    """
    changes = ["CMD sleep infinity", "ENV PATH=/bin"]
    changes += [f"LABEL {name}={json.dumps(value)}" for name, value in (labels or {}).items()]
    api.import_image_from_data(_root_filesystem(), repository=reference, changes=changes)  # Podman hears no tag apart


def _root_filesystem() -> bytes:
    busybox = shutil.which("busybox") or cannot_run("busybox is missing: apt-get install busybox-static")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for folder, mode in (("bin", 0o755), ("tmp", 0o1777), ("etc", 0o755), ("var", 0o755)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        tar.add(busybox, "bin/busybox")
        for applet in _APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return packed.getvalue()
