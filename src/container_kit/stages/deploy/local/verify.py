"""The stage `verify`: checks of a deployment from outside."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from container_kit.stages.artifacts.deployment import Check, Deployment, Verification
from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, FaultCode, StageFailure
from container_kit.stages.contract.stage import Stage, StageContext
from container_kit.stages.deploy.local.container import PUBLIC_ADDRESS, Networks
from container_kit.stages.deploy.local.containers import Containers
from container_kit.stages.deploy.local.probe import ProbeResult, Send, probe_address
from container_kit.stages.deploy.local.proxied.probe_inside import probe_public
from container_kit.stages.docker.engine import FAULTS as ENGINE_FAULTS
from container_kit.stages.docker.engine import DockerEngine

if TYPE_CHECKING:
    from docker import APIClient

UNHEALTHY = FaultCode(
    "verify.unhealthy",
    means="A check of the deployment failed.",
    hint="Deploy {name} again, or roll it back. The evidence has the failed checks and the end of the log.",
)

_LOG_LINES = 40
_REFUSED = {400, 403}
"""Statuses with which a server refuses the name of this machine, or a folder without an index page."""
_USUAL_PAGES = ("/docs", "/api", "/api/", "/admin/", "/login", "/index.html", "/graphql", "/health")
_MOST_REDIRECTIONS = 4


class Verify(Stage[Verification]):
    """Check that a deployment runs, stays up and answers."""

    read_only = True
    faults = (UNHEALTHY, *ENGINE_FAULTS)

    def __init__(self, engine: DockerEngine | None = None) -> None:
        self._engine = engine or DockerEngine()

    async def execute(self, ctx: StageContext, deployment: Deployment) -> Verification:
        """Inspect the container and probe the public port.

        Raises:
            StageFailure: `verify.unhealthy` if a check failed, or a fault of the engine.
        """
        if deployment.kind in {"job", "command"}:
            done = "exit code 0" if deployment.kind == "job" else "built; it is run with arguments"
            return Verification(healthy=True, url="", checks=(_check("program", good=True, detail=done),))
        ctx.progress(f"checking {deployment.url or deployment.name}")
        details = await self._inspect(deployment)
        checks = [_runs(details), _image(deployment, details), _stable(details)]
        if deployment.kind == "web":
            checks += [_published(deployment, details), *await self._answers(deployment)]
        checks.append(_image_health(details))
        failed = [check for check in checks if check.outcome == "failed"]
        if failed:
            raise await self._unhealthy(ctx, deployment, failed)
        ctx.progress(f"{deployment.name} is healthy at {deployment.url}", 1.0)
        return Verification(healthy=True, url=deployment.url, checks=tuple(checks))

    async def _answers(self, deployment: Deployment) -> list[Check]:
        """Probe the public port, and from here too if the engine's own addresses are not those of this machine."""
        containers = Containers(self._engine, Networks())
        version = await containers.get(deployment.name, deployment.container_id)
        here = probe_address(PUBLIC_ADDRESS, deployment.host_port)
        send = await probe_public(containers, version) if version else here
        answer = await send(deployment.probe, deployment.health_path)
        request = f"GET {deployment.health_path}" if deployment.probe == "http" else "TCP connection"
        checks = [_check("answer", good=answer.healthy, detail=f"{request}: {answer.detail}")]
        checks += [await page_check(deployment, send)] if deployment.probe == "http" else []
        if await containers.can_swap():
            return checks
        return [*checks, await _from_here(deployment, here)]

    async def _inspect(self, deployment: Deployment) -> dict[str, Any]:
        def work(api: APIClient) -> dict[str, Any]:
            from docker.errors import NotFound

            with suppress(NotFound):
                details: dict[str, Any] = api.inspect_container(deployment.container_id)
                return details
            return {}

        return await self._engine.call(work)

    async def _unhealthy(self, ctx: StageContext, deployment: Deployment, failed: list[Check]) -> StageFailure:
        def log_tail(api: APIClient) -> str:
            from docker.errors import APIError

            with suppress(APIError):
                return bytes(api.logs(deployment.container_id, tail=_LOG_LINES)).decode("utf-8", "replace").strip()
            return ""

        evidence = [Evidence(kind="condition", text=f"{check.name}: {check.detail}") for check in failed]
        if log := ctx.redact(await self._engine.call(log_tail)):
            evidence.append(Evidence(kind="log", text=log[-4000:], where=deployment.container_name))
        message = f"{deployment.name} at {deployment.url}: {failed[0].name} failed: {failed[0].detail}"
        return UNHEALTHY(message, evidence=evidence, name=deployment.name)


def _check(name: str, *, good: bool, detail: str) -> Check:
    return Check(name=name, outcome="ok" if good else "failed", detail=detail)


def _runs(details: dict[str, Any]) -> Check:
    state = details.get("State") or {}
    if not state:
        return _check("container", good=False, detail="it does not exist")
    exit_code = f", exit code {state.get('ExitCode')}" if not state.get("Running") else ""
    return _check("container", good=bool(state.get("Running")), detail=f"{state.get('Status')}{exit_code}")


def _image(deployment: Deployment, details: dict[str, Any]) -> Check:
    image = details.get("Image", "nothing")
    return _check("image", good=image == deployment.image_id, detail=f"runs {image[:19]}")


def _stable(details: dict[str, Any]) -> Check:
    restarts = details.get("RestartCount", 0)
    return _check("restarts", good=restarts == 0, detail=f"{restarts} restarts, up for {_age(details):.1f} s")


def _age(details: dict[str, Any]) -> float:
    """Return the seconds since the container started; the engine runs on this machine, so both share a clock."""
    started = (details.get("State") or {}).get("StartedAt") or ""
    with suppress(ValueError):
        return (datetime.now(UTC) - datetime.fromisoformat(re.sub(r"\.(\d{1,6})\d*", r".\1", started))).total_seconds()
    return 0.0


def _published(deployment: Deployment, details: dict[str, Any]) -> Check:
    if deployment.zero_downtime:
        return Check(name="port", outcome="not_checked", detail="HAProxy holds it; see the check `answer`")
    ports = (details.get("NetworkSettings") or {}).get("Ports") or {}
    bound = ports.get(f"{deployment.container_port}/tcp") or []
    addresses = [f"{binding['HostIp']}:{binding['HostPort']}" for binding in bound]
    good = f"127.0.0.1:{deployment.host_port}" in addresses
    return _check("port", good=good, detail=f"published at {', '.join(addresses) or 'no address'}")


async def _from_here(deployment: Deployment, here: Send) -> Check:
    name = "answer from here"
    if deployment.forward_command:
        detail = f"the engine is remote; run `{deployment.forward_command}` and open {deployment.url}"
        return Check(name=name, outcome="not_checked", detail=detail)
    answer = await here(deployment.probe, deployment.health_path)
    if answer.healthy:
        return Check(name=name, outcome="ok", detail=answer.detail)
    detail = f"this process does not reach {deployment.url}: it or the engine is in another network"
    return Check(name=name, outcome="not_checked", detail=detail)


async def page_check(deployment: Deployment, send: Send) -> Check:
    """Check what a visitor gets: the root, or else another usual page, must answer below 400.

    A root that refuses every visitor, or fails, is a failure; one that does not exist or asks for a login is only
    reported, because an API may have none.
    """
    answer, path = await _follow(send, deployment.host_port, "/"), "/"
    detail = f"GET /: {answer.detail}"
    if _requires_tls(answer.location, deployment.host_port):
        return _check("page", good=False, detail=f"{detail} to {answer.location}, which it does not serve itself")
    if answer.status is None or answer.status < 400:
        return _check("page", good=answer.status is not None, detail=detail)
    if answer.status in _REFUSED or answer.status >= 500:
        return _check("page", good=False, detail=detail)
    for path in dict.fromkeys((deployment.health_path, *_USUAL_PAGES)):
        if path != "/" and (await _follow(send, deployment.host_port, path)).status in range(200, 400):
            return _check("page", good=True, detail=f"{detail}; {path} answers")
    return Check(name="page", outcome="not_checked", detail=f"{detail}, and no other page is known")


async def _follow(send: Send, port: int, path: str) -> ProbeResult:
    """Request a page, and what it redirects to on the same server."""
    answer = await send("http", path)
    for _ in range(_MOST_REDIRECTIONS):
        target = _path_on_server(answer.location, port)
        if target is None:
            break
        answer = await send("http", target)
    return answer


def _requires_tls(location: str | None, port: int) -> bool:
    """Return whether an application redirects every request to HTTPS at its own address."""
    parts = urlsplit(location or "")
    return parts.scheme == "https" and parts.netloc in {f"localhost:{port}", f"127.0.0.1:{port}", "localhost"}


def _path_on_server(location: str | None, port: int) -> str | None:
    parts = urlsplit(location or "")
    if (
        not location
        or parts.scheme == "https"
        or (parts.netloc and parts.netloc not in {f"localhost:{port}", f"127.0.0.1:{port}"})
    ):
        return None
    return f"{parts.path}{'?' + parts.query if parts.query else ''}" if parts.path.startswith("/") else None


def _image_health(details: dict[str, Any]) -> Check:
    """Check the image's HEALTHCHECK, which the engine runs at its own interval."""
    health = ((details.get("State") or {}).get("Health") or {}).get("Status")
    if health in (None, "none", ""):  # Podman reports an empty status
        return Check(name="image's HEALTHCHECK", outcome="not_checked", detail="the image has none")
    if health == "starting":
        return Check(name="image's HEALTHCHECK", outcome="not_checked", detail="it has no result yet")
    return _check("image's HEALTHCHECK", good=health == "healthy", detail=health)
