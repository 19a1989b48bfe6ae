"""Faults of scanners, registries and clusters, repaired by the first next action once the cause is mended."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from docker import APIClient

from container_kit import Workspace
from container_kit.pipelines import catalog
from container_kit.pipelines.plan import Plan
from container_kit.pipelines.runs.service import RunService
from container_kit.stages.scan import ScannerSettings, ScanSource
from support.engine.registry import Registry
from support.engine.tiny_image import import_tiny_image
from support.kubernetes.api_server import ApiServer
from support.mcp.tools import connected
from support.scan.scanners import scanner_programs
from support.scan.trivy_database import write_trivy_database

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(240)]

Mend = Callable[[], object]


async def repaired(runs: RunService, code: str, tool: str, arguments: dict[str, Any], mend: Mend) -> dict[str, Any]:
    """Fail with this code, mend the cause, call the first next action as it stands; what it answers."""
    async with connected(runs) as client:
        with anyio.fail_after(200):
            failed = await client.call_tool(tool, arguments)
            fault = failed.structured_content
            assert fault is not None
            assert fault["code"] == code, failed.content
            mend()
            action = fault["next_actions"][0]
            mended = await client.call_tool(action["tool"], action["arguments"])
    assert not mended.is_error, mended.content
    return {"fault": fault, **(mended.structured_content or {})}


async def test_a_refused_scan_passes_once_the_change_that_it_names_is_made(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cache = tmp_path_factory.mktemp("trivy")
    write_trivy_database(
        cache, pypi={"ck-lib": {"CVE-2099-0003": ("<1.5", "1.5")}}, severities={"CVE-2099-0003": "CRITICAL"}
    )
    settings = ScannerSettings(search_path=str(scanner_programs()), trivy_cache=cache, update_databases=False)

    def find(name: str) -> Plan:
        return catalog.pipeline(name).with_stages_replaced({"scan-source": ScanSource(settings)}).plan()

    requirements = tmp_path / "requirements.txt"
    requirements.write_text("first==1\nck-lib==1.0\n")
    change = partial(requirements.write_text, "first==1\nck-lib==1.5\n")
    made = await repaired(
        RunService(Workspace([tmp_path]), find=find), "scan.policy_violation", "scan", {"path": "."}, change
    )
    assert "require ck-lib 1.5 or later in requirements.txt:2" in made["fault"]["next_actions"][0]["why"]
    assert made["scan_report"]["gate"] == "passed"


@pytest.mark.engine
async def test_a_push_without_credentials_succeeds_once_somebody_has_logged_in(
    docker_api: APIClient, unique: Callable[[], str], tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    home, logged_in = tmp_path_factory.mktemp("registry"), tmp_path_factory.mktemp("docker-config")
    for name in ("DOCKER_AUTH_CONFIG", "REGISTRY_AUTH_FILE", "CONTAINER_KIT_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(logged_in))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(logged_in))
    name = unique()
    import_tiny_image(docker_api, f"{name}:1")
    registry = Registry(home, {"ann": "right-password"})
    auth = base64.b64encode(b"ann:right-password").decode()
    log_in = partial((logged_in / "config.json").write_text, json.dumps({"auths": {registry.host: {"auth": auth}}}))
    arguments = {"image": f"{name}:1", "repository": f"{registry.host}/{name}/shop"}
    try:
        registry.start()
        made = await repaired(RunService(Workspace([tmp_path])), "push.unauthorized", "push", arguments, log_in)
    finally:
        registry.kill()
    assert f"docker login {registry.host}" in made["fault"]["next_actions"][0]["why"]
    assert made["pushed_image"]["confirmed_by"] == "registry"


async def test_a_rollout_with_a_wrong_image_succeeds_once_its_manifest_names_a_right_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the emulated cluster, which replays what a real one said of such an image."""
    manifest = tmp_path / "k8s.json"

    def write(image: str) -> None:
        labels = {"app": "web"}
        pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": image}]}}
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
        found = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
        manifest.write_text(json.dumps(found))

    write("registry.test/img-404:1")
    with ApiServer().serving() as cluster:
        (tmp_path / "kubeconfig").write_text(cluster.kubeconfig())
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        made = await repaired(
            RunService(Workspace([tmp_path])),
            "kubernetes.image_not_found",
            "deploy-kubernetes",
            {"path": ".", "manifests": "k8s.json"},
            partial(write, "registry.test/ok:1"),
        )
        assert cluster.get("deployments", "web") is not None
    assert made["verification"]["healthy"]
