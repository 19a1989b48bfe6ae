"""Web applications of a few kilobytes, on engines that have no base images."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from contextlib import closing

from docker import APIClient

from container_kit.stages.artifacts.image import Image
from container_kit.stages.docker.engine import DockerEngine
from support.skip_policy import cannot_run

HAPROXY = "container-kit/haproxy:1"


def import_web_image(api: APIClient, reference: str, version: str) -> Image:
    """Import busybox with a server that answers `GET /` with the version on port 8000."""
    busybox = shutil.which("busybox") or cannot_run("busybox is missing: apt-get install busybox-static")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for folder in ("bin", "tmp", "www"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o777
            tar.addfile(entry)
        tar.add(busybox, "bin/busybox")
        page = tarfile.TarInfo("www/index.html")
        page.size = len(version)
        tar.addfile(page, io.BytesIO(version.encode()))
    command = json.dumps(["/bin/busybox", "httpd", "-f", "-v", "-p", "8000", "-h", "/www"])
    changes = [f"CMD {command}", "EXPOSE 8000"]
    api.import_image_from_data(packed.getvalue(), repository=reference, changes=changes)
    return Image(id=api.inspect_image(reference)["Id"], reference=reference, ports=(8000,))


def copy_haproxy(target: APIClient) -> None:
    """Copy the image of the proxy from the machine's engine, which builds it if it has none."""
    from container_kit.stages.deploy.local.containers import ensure_image
    from container_kit.stages.deploy.local.proxied import proxy

    with closing(APIClient(base_url=DockerEngine().host, version="auto", timeout=120)) as source:
        if ensure_image(source, (HAPROXY,), HAPROXY, proxy._DOCKERFILE) is None:
            cannot_run("the machine's engine cannot build the image of HAProxy")
        for line in target.load_image(source.get_image(HAPROXY)):
            assert "error" not in line, line
