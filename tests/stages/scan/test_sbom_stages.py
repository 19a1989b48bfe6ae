"""DescribeImage: Syft's, Trivy's and the built-in list of one image, and that they agree."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.scan import Sbom
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.scan import GenerateImageSbom, ScannerSettings
from support.pipelines.contexts import Contexts

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(180)]


def packages(sbom: Sbom) -> set[tuple[str, str, str]]:
    """Type, name and version of each system and Python package; Trivy keeps Debian's epoch apart from the version."""
    components = json.loads(sbom.document)["components"]
    known = re.compile(r"pkg:(deb|pypi)/(?:debian/)?([^@]+)@(?:\d+:)?([^?]+)")
    purls = [known.match(unquote(part.get("purl", ""))) for part in components]
    return {(found.group(1), found.group(2).lower(), found.group(3)) for found in purls if found}


async def test_the_built_in_list_agrees_with_syft_and_trivy(
    engine: DockerEngine, ctx: Contexts, only: Callable[..., ScannerSettings]
) -> None:
    image = Image(id="", reference="python:3.11-slim")
    made = {
        name: await GenerateImageSbom(engine, only(*programs)).execute(ctx(), image)
        for name, programs in {"syft": ("syft", "trivy"), "trivy": ("trivy",), "builtin": ()}.items()
    }
    assert {name: sbom.made_by for name, sbom in made.items()} == {name: name for name in made}
    assert len(packages(made["builtin"])) > 50
    assert {kind for kind, _, _ in packages(made["builtin"])} == {"deb", "pypi"}
    assert packages(made["builtin"]) == packages(made["trivy"])
    assert packages(made["builtin"]) == packages(made["syft"])


async def test_the_built_in_list_is_cyclonedx(
    engine: DockerEngine, ctx: Contexts, only: Callable[..., ScannerSettings]
) -> None:
    sbom = await GenerateImageSbom(engine, only()).execute(ctx(), Image(id="", reference="debian:bookworm-slim"))
    document = json.loads(sbom.document)
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", sbom.spec_version, 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", document["serialNumber"])
    references = [component["bom-ref"] for component in document["components"]]
    assert len(references) == len(set(references)) == sbom.components
    assert Sbom.model_validate_json(sbom.model_dump_json()) == sbom


async def test_a_broken_program_is_passed_over(engine: DockerEngine, ctx: Contexts, tmp_path: Path) -> None:
    """A stand-in, for the real Syft does not break."""
    program = tmp_path / "syft"
    program.write_text("#!/bin/sh\necho no disk >&2; exit 1\n")
    program.chmod(0o755)
    stage = GenerateImageSbom(engine, ScannerSettings(search_path=f"{tmp_path}"))
    sbom = await stage.execute(ctx(), Image(id="", reference="debian:bookworm-slim"))
    assert sbom.made_by == "builtin"
    assert "syft failed: no disk" in ctx.lines


async def test_a_missing_image_is_a_fault(
    engine: DockerEngine, ctx: Contexts, only: Callable[..., ScannerSettings], unique: Callable[[], str]
) -> None:
    with pytest.raises(StageFailure) as failed:
        await GenerateImageSbom(engine, only()).execute(ctx(), Image(id="", reference=unique()))
    assert failed.value.fault.code == "image.not_found"


async def test_a_dry_run_lists_nothing_of_an_image_to_come(engine: DockerEngine, ctx: Contexts) -> None:
    sbom = await GenerateImageSbom(engine).execute(ctx(dry_run=True), Image(id="", reference="shop:latest"))
    assert sbom.components == 0
    assert sbom.unread == ("dry run: the image is not built yet",)


async def test_a_disk_without_space_for_the_image_is_a_fault_with_the_required_space(
    engine: DockerEngine, ctx: Contexts, imported: Callable[..., Image], small_disk: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    image = imported({"large": os.urandom(4 << 20)})
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(small_disk))
        with pytest.raises(StageFailure) as failed:
            await GenerateImageSbom(engine, ScannerSettings(search_path="")).execute(ctx(), image)
    assert failed.value.fault.code == "scan.disk_full"
    assert str(small_disk) in failed.value.fault.hint
    assert list(small_disk.iterdir()) == []


class _ExportsOci(BaseHTTPRequestHandler):
    """An engine that exports an OCI layout without Docker's `manifest.json`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path.endswith("/get"):
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w") as tar:
                layout = json.dumps({"imageLayoutVersion": "1.0.0"}).encode()
                entry = tarfile.TarInfo("oci-layout")
                entry.size = len(layout)
                tar.addfile(entry, io.BytesIO(layout))
            return self._say(out.getvalue())
        return self._say(json.dumps({"Id": "sha256:" + "0" * 64, "ApiVersion": "1.41"}).encode())

    def _say(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Api-Version", "1.41")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name in the standard library)
        pass


@pytest.fixture
def strange_engine() -> Iterator[DockerEngine]:
    """A stand-in, for the real engine's exports can all be read."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _ExportsOci) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with closing(DockerEngine(f"tcp://127.0.0.1:{server.server_port}")) as engine:
            yield engine
        server.shutdown()


async def test_an_export_that_is_not_an_image_is_a_fault(strange_engine: DockerEngine, ctx: Contexts) -> None:
    with pytest.raises(StageFailure) as failed:
        await GenerateImageSbom(strange_engine, ScannerSettings(search_path="")).execute(
            ctx(), Image(id="", reference="strange:1")
        )
    assert failed.value.fault.code == "scan.image_unreadable"
    assert "manifest.json" in failed.value.fault.message
