"""Files of images with planted packages, and tars of them."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True)
class LinkTo:
    """A link to another path of the same layer."""

    path: str
    hard: bool = False


def packed(files: Mapping[str, str | bytes | LinkTo]) -> bytes:
    """A tar of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, content in files.items():
            if isinstance(content, LinkTo):
                link = tarfile.TarInfo(name)
                link.type, link.linkname = (tarfile.LNKTYPE if content.hard else tarfile.SYMTYPE), content.path
                tar.addfile(link)
                continue
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def image_archive(*layers: Mapping[str, str | bytes | LinkTo], history: list[dict[str, object]] | None = None) -> bytes:
    """An image's archive as `docker save` makes it, with these layers, the lowest first."""
    packed_layers = [packed(layer) for layer in layers]
    configuration = {
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:layer{number}" for number in range(len(layers))]},
        "history": history or [{"created_by": f"COPY layer {number} # buildkit"} for number in range(len(layers))],
    }
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": "config.json", "RepoTags": ["planted:1"], "Layers": names}]
    return packed(
        dict(zip(names, packed_layers, strict=True))
        | {"config.json": json.dumps(configuration), "manifest.json": json.dumps(manifest)}
    )


def jar(**entries: bytes) -> bytes:
    """A zip of these entries; `__` in a name stands for `/`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def pom(group: str, artifact: str, version: str) -> bytes:
    """The text of a jar's pom.properties."""
    return f"#Generated\ngroupId={group}\nartifactId={artifact}\nversion={version}\n".encode()


def random_layer(megabytes: float) -> bytes:
    """A tar with a file that nothing can compress, hence an image that no registry has yet."""
    return packed({"data": os.urandom(int(megabytes * 2**20))})
