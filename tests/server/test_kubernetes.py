"""Deploying to a cluster through a real server and client.

The cluster is an emulated one, or with KUBECONFIG a real one (see `support.kubernetes.clusters`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from container_kit.stages.deploy.kubernetes.cluster.api import connect
from support.kubernetes.clusters import CRASHES, Place, place
from support.mcp.servers import SERVE, environment

pytestmark = [pytest.mark.anyio, pytest.mark.integration, pytest.mark.timeout(600)]

SOURCE = """\
import http.server

http.server.HTTPServer(("", 8080), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Place]:
    async with place(tmp_path) as found:
        yield found


@pytest.fixture
async def client(here: Place, tmp_path: Path) -> AsyncIterator[Client]:
    """Return a client on a server with the Kubernetes tools and one target."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "main.py").write_text(SOURCE)
    target = (
        f'toolsets = ["default", "kubernetes"]\n[targets.lab]\nkind = "kubernetes"\nnamespace = "{here.namespace}"\n'
    )
    (tmp_path / "container-kit.toml").write_text(target)
    variables = environment(tmp_path, KUBECONFIG=here.kubeconfig)
    parameters = StdioServerParameters(command=sys.executable, args=SERVE, cwd=tmp_path, env=variables)
    async with Client(stdio_client(parameters)) as found:
        yield found


class Calls:
    """The calls of one client for one application."""

    def __init__(self, client: Client, here: Place) -> None:
        self.client, self.here = client, here
        self.told: list[str] = []

    async def __call__(self, tool: str, **arguments: Any) -> dict[str, Any]:
        with anyio.fail_after(240):
            result = await self.client.call_tool(tool, arguments, progress_callback=self._progress)
        assert not result.is_error, result.content
        return dict(result.structured_content or {})

    async def fails(self, tool: str, **arguments: Any) -> dict[str, Any]:
        with anyio.fail_after(240):
            result = await self.client.call_tool(tool, arguments)
        assert result.is_error, result.content
        return dict(result.structured_content or {})

    async def write(self, behaves: str, **options: Any) -> dict[str, Any]:
        asked = {"path": "shop", "image": self.here.image(behaves), "layout": "kustomize", "port": 8080, "replicas": 1}
        return await self("write-manifests", name="web", namespace=self.here.namespace, **asked, **options)

    async def _progress(self, progress: float, total: float | None, message: str | None) -> None:
        self.told.append(message or "")


DEPLOY = {"path": "shop", "manifests": "k8s", "create_namespace": True, "rollout_timeout": 120}


async def test_manifests_are_written_rolled_out_verified_broken_and_rolled_back(client: Client, here: Place) -> None:
    call = Calls(client, here)
    written = await call.write("ok")
    assert "kustomization.yaml" in written["manifest_files"]["files"]

    made = await call("deploy-kubernetes", **DEPLOY)
    rollout = made["kubernetes_deployment"]
    assert (rollout["name"], rollout["namespace"], rollout["services"]) == ("web", here.namespace, ["web"])
    assert {"kind": "Deployment", "name": "web", "namespace": here.namespace, "change": "created"} in rollout["applied"]
    assert made["verification"]["healthy"], made
    assert any("of 1 replicas ready" in line for line in call.told)

    seen = await call("verify-kubernetes", run=made["run"])
    assert {check["name"] for check in seen["verification"]["checks"]} >= {"replicas", "restarts", "endpoints", "http"}

    await call.write("crash", command=list(CRASHES))
    fault = await call.fails("deploy-kubernetes", **DEPLOY)
    assert (fault["code"], fault["stage"]) == ("kubernetes.crash", "deploy-to-kubernetes")
    assert "DATABASE_URL is not set" in json.dumps(fault["evidence"])
    async with connect(None, here.kubeconfig) as api:
        path = f"/apis/apps/v1/namespaces/{here.namespace}/deployments/web"
        live = await api.get(path)
        assert live["spec"]["template"]["spec"]["containers"][0].get("command") is None, "the first one serves"
        await call("rollback-run", run=made["run"])
        assert await api.find(path) is None


async def test_a_namespace_other_than_that_of_the_target_is_rejected_first(client: Client, here: Place) -> None:
    call = Calls(client, here)
    fault = await call.fails("deploy-kubernetes", **DEPLOY, namespace="kube-system")
    assert fault["code"] == "deploy.option_invalid"
    assert "namespace" in fault["hint"]


async def test_an_unknown_application_is_a_fault_that_lists_the_existing_ones(client: Client, here: Place) -> None:
    fault = await Calls(client, here).fails("verify-kubernetes", name="nothing", deploy_to="lab")
    assert fault["code"] == "deployment.not_found"
    assert "none" in fault["hint"]
