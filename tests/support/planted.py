"""Files of images with planted packages, and tars of them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

DEBIAN = {
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "etc/debian_version": "12.1\n",
}


def dpkg_status(**versions: str) -> str:
    """The text of `/var/lib/dpkg/status` with these packages installed."""
    return "".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nMaintainer: Nobody <no@example.invalid>\n"
        f"Version: {version}\nDescription: planted\n\n"
        for name, version in versions.items()
    )


def metadata(name: str, version: str) -> str:
    """The text of a Python distribution's METADATA."""
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"


def packed(files: Mapping[str, str | bytes]) -> bytes:
    """A tar of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
