"""Links, special files and URLs in a repository must not make the manifest tools leave its tree."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import anyio
import pytest

from container_kit.pipelines.runs.service import RunService
from container_kit.stages.artifacts.kubernetes import (
    Cluster,
    KubernetesOptions,
    ManifestFiles,
    ManifestLayout,
    Manifests,
)
from container_kit.stages.artifacts.source import Source
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.contract.workspace import Workspace
from container_kit.stages.deploy.kubernetes.manifests.make_manifests import MakeManifests
from container_kit.stages.deploy.kubernetes.manifests.write_manifests import WriteManifests
from support.mcp.tools import connected
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

pytestmark = pytest.mark.anyio

PLANTED = "OUTSIDE-PLANTED-7731"
IMAGE = "registry.example/shop@sha256:" + "a" * 64
NAMES = ("deployment.yaml", "service.yaml", "serviceaccount.yaml", "networkpolicy.yaml", "poddisruptionbudget.yaml")
SECRET = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: stolen}}\ndata: {{planted: {PLANTED}}}\n"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "victim.yaml").write_text(SECRET)
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace" / "repository"
    folder.mkdir(parents=True)
    (folder / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    (folder / "requirements.txt").write_text("flask==3.1.0\n")
    return folder


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def write(repository: Path, *undo: str, **arguments: Any) -> Any:
    """Call write-manifests with a text of the attacker; call further tools with its run."""
    runs = RunService(Workspace([repository.parent]))
    async with connected(runs) as client:
        result = await client.call_tool(
            "write-manifests",
            {"path": str(repository), "image": IMAGE, "args": ["`touch PWNED`"], "port": 8080, **arguments},
        )
        for tool in undo:
            run = (result.structured_content or {})["run"]
            await client.call_tool(tool, {"run": run})
        return result


@pytest.mark.parametrize("layout", ["files", "kustomize", "helm"])
async def test_a_link_with_the_name_of_a_draft_is_not_written_through(
    layout: str, repository: Path, outside: Path
) -> None:
    (repository / "k8s/templates").mkdir(parents=True)
    before = state(outside)
    for name in (*NAMES, "kustomization.yaml", "Chart.yaml", "values.yaml"):
        for draft in (f".{name}.new", f"{name}.tmp", f".{name}.tmp", f"{name}~", f".{name}"):
            (repository / "k8s" / draft).symlink_to(outside / "victim.yaml")
            (repository / "k8s/templates" / draft).symlink_to(outside / "victim.yaml")
    result = await write(repository, layout=layout)
    assert not result.is_error, result.content
    assert state(outside) == before


@pytest.mark.parametrize(("link", "layout"), [("k8s", "files"), ("k8s/templates", "helm"), ("k8s", "helm")])
async def test_a_folder_that_is_a_link_to_outside_is_not_written_into(
    link: str, layout: str, repository: Path, outside: Path
) -> None:
    (repository / link).parent.mkdir(exist_ok=True)
    (repository / link).symlink_to(outside)
    before = state(outside)
    result = await write(repository, layout=layout)
    assert result.is_error
    assert state(outside) == before


async def test_a_parent_of_a_new_folder_that_is_a_link_is_not_followed(repository: Path, outside: Path) -> None:
    (repository / "deploy").symlink_to(outside)
    assert (await write(repository, folder="deploy/k8s/base")).is_error
    assert sorted(state(outside)) == ["victim.yaml"]


@pytest.mark.parametrize("name", NAMES)
async def test_a_file_that_is_a_link_is_neither_read_nor_replaced(name: str, repository: Path, outside: Path) -> None:
    (repository / "k8s").mkdir()
    (repository / "k8s" / name).symlink_to(outside / "victim.yaml")
    result = await write(repository)
    assert result.is_error
    assert PLANTED not in result.model_dump_json()
    assert (outside / "victim.yaml").read_text() == SECRET
    written = [path.name for path in (repository / "k8s").iterdir() if not path.is_symlink()]
    assert written == []  # all or nothing


async def test_a_pipe_in_the_place_of_a_file_does_not_hold_the_run(repository: Path) -> None:
    (repository / "k8s").mkdir()
    os.mkfifo(repository / "k8s/service.yaml")
    with anyio.fail_after(20):
        assert (await write(repository)).is_error


async def written(ctx: Contexts, repository: Path) -> ManifestFiles:
    service: Any = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop"}}
    manifests = Manifests(name="shop", namespace="shop", objects=(service,))
    files = await execute(WriteManifests(), ctx(), manifests, Source(path=str(repository)), ManifestLayout())
    return ManifestFiles.model_validate_json(files.model_dump_json())  # as the journal keeps it


async def test_undoing_follows_no_link_that_came_later(ctx: Contexts, tmp_path: Path, outside: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    files = await written(ctx, repository)
    (outside / "service.yaml").write_bytes((repository / "k8s/service.yaml").read_bytes())  # taken for its own
    (repository / "k8s").rename(repository / "was")
    (repository / "k8s").symlink_to(outside)
    before = state(outside)
    with pytest.raises(StageFailure, match="link"):
        await WriteManifests().rollback(ctx(), files)
    assert state(outside) == before


async def test_undoing_keeps_a_file_that_was_edited_since(ctx: Contexts, tmp_path: Path) -> None:
    files = await written(ctx, tmp_path)
    (tmp_path / "k8s/service.yaml").write_text("edited: by a person\n")
    await WriteManifests().rollback(ctx(), files)
    assert state(tmp_path) == {"k8s/service.yaml": b"edited: by a person\n"}


async def test_the_files_that_are_replaced_are_named_before(ctx: Contexts, tmp_path: Path) -> None:
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s/service.yaml").write_text("by: a person\n")
    await written(ctx, tmp_path)
    assert ctx.messages == ["replacing service.yaml in k8s"]


# The user's own manifests.


async def read(ctx: Contexts, root: Path, path: str) -> Any:
    cluster = Cluster(context="test", server="", version="", namespace="shop", delivery="registry")
    return await MakeManifests().execute(
        ctx(), Source(path=str(root)), KubernetesOptions(manifests=path), cluster, None, None, None
    )


async def test_own_manifests_are_not_read_through_links_to_outside(repository: Path, outside: Path) -> None:
    (repository / "k8s").mkdir()
    (repository / "k8s/a.yaml").symlink_to(outside / "victim.yaml")
    (repository / "k8s/more").symlink_to(outside)
    found = await read(Contexts("r", Workspace([repository.parent])), repository, "k8s")
    assert found.objects == ()


async def test_own_manifests_that_are_pipes_do_not_hold_the_run(ctx: Contexts, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with anyio.fail_after(10), pytest.raises(StageFailure):
        await read(ctx, tmp_path, "pipe.yaml")


class _Requests(BaseHTTPRequestHandler):
    paths: list[str]

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(SECRET.encode())

    def log_message(self, *_: Any) -> None:
        """Stay silent."""


@pytest.fixture
def inner_service() -> Iterator[tuple[str, list[str]]]:
    """A service on loopback that only this machine may reach, and the paths that were requested from it."""
    paths: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Requests", (_Requests,), {"paths": paths}))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", paths
    server.shutdown()
    server.server_close()


FETCHING = {
    "resource": "resources: [http://HOST/a.yaml]",
    "base": "bases: ['http://HOST/a.yaml']",
    "repository": "resources: ['git::http://HOST/r']",
    "user": "resources: ['git@HOST:r']",
    "component": "components: [http://HOST/a]",
    "generated file": "configMapGenerator: [{name: a, files: [a=http://HOST/a]}]",
    "environment file": "configMapGenerator: [{name: a, envs: [http://HOST/a]}]",
    "patch": "resources: [ok.yaml]\npatches: [{path: http://HOST/a, target: {kind: ConfigMap}}]",
    "old patch": "resources: [ok.yaml]\npatchesJson6902: [{path: http://HOST/a, target: {name: ok}}]",
    "merged patch": "resources: [ok.yaml]\npatchesStrategicMerge: [http://HOST/a]",
    "replacement": "resources: [ok.yaml]\nreplacements: [{path: http://HOST/a}]",
    "schema": "resources: [ok.yaml]\nopenapi: {path: http://HOST/a}",
    "configuration": "resources: [ok.yaml]\nconfigurations: [http://HOST/a]",
    "transformer": (
        "resources: [ok.yaml]\ntransformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n"
        "  metadata: {name: a}\n  path: http://HOST/a\n  target: {kind: ConfigMap}\n"
    ),
    "chart": "helmCharts: [{name: a, repo: 'http://HOST/charts', version: '1'}]",
}


@pytest.mark.integration
@pytest.mark.parametrize("case", FETCHING)
async def test_a_kustomization_fetches_nothing(
    case: str, ctx: Contexts, tmp_path: Path, inner_service: tuple[str, list[str]]
) -> None:
    host, paths = inner_service
    (tmp_path / "ok.yaml").write_text(SECRET.replace("stolen", "ok").replace(PLANTED, "x"))
    (tmp_path / "kustomization.yaml").write_text(FETCHING[case].replace("HOST", host))
    with pytest.raises(StageFailure) as caught:
        await read(ctx, tmp_path, ".")
    assert caught.value.fault.code.startswith("kubernetes.kustomize_")
    assert paths == []
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay/kustomization.yaml").write_text("resources: [../]")  # the same, one kustomization away
    with pytest.raises(StageFailure):
        await read(ctx, tmp_path, "overlay")
    assert paths == []


@pytest.mark.parametrize("entry", ["../outside", "../outside/victim.yaml", "linked", "linked.yaml", "/etc"])
async def test_a_kustomization_reads_nothing_outside_the_repository(
    entry: str, repository: Path, outside: Path
) -> None:
    (outside / "kustomization.yaml").write_text("resources: [victim.yaml]")
    (repository.parent / "outside").symlink_to(outside)
    (repository / "linked").symlink_to(outside)
    (repository / "linked.yaml").symlink_to(outside / "victim.yaml")
    (repository / "kustomization.yaml").write_text(f"resources: [{json.dumps(entry)}]")
    with pytest.raises(StageFailure) as caught:
        await read(Contexts("r", Workspace([repository.parent])), repository, ".")
    assert PLANTED not in caught.value.fault.model_dump_json()


async def test_a_base_elsewhere_in_the_repository_is_used(ctx: Contexts, tmp_path: Path) -> None:
    for folder in ("base", "overlays/test"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "base/all.yaml").write_text(SECRET)
    (tmp_path / "base/kustomization.yaml").write_text("resources: [all.yaml]")
    (tmp_path / "overlays/test/kustomization.yaml").write_text("resources: [../../base]\nnamespace: test\n")
    found = await read(ctx, tmp_path, "overlays/test")
    assert [item["metadata"]["namespace"] for item in found.objects] == ["test"]
