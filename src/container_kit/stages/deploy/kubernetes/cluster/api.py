"""The one adapter to the Kubernetes API: plain objects over lightkube's connection, foreign errors made faults.

Objects stay as the API writes them, for a typed client would lose the fields that it does not know.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import anyio

from container_kit.stages.contract.fault import Evidence, StageFailure
from container_kit.stages.deploy.kubernetes.cluster.api_faults import (
    API_ERROR,
    CERTIFICATE,
    KIND_UNKNOWN,
    UNAUTHENTICATED,
    UNREACHABLE,
    refusal,
)
from container_kit.stages.deploy.kubernetes.cluster.kubeconfig import read_config

if TYPE_CHECKING:
    import httpx2
    from lightkube.config.kubeconfig import SingleConfig

Json = dict[str, Any]

FIELD_MANAGER = "container-kit"
_SECONDS = 20.0
_SILENCE = 320.0
"""Seconds after which a silent watch is dead: the server ends each one before."""


@dataclass(frozen=True, slots=True)
class Resource:
    """How a kind is addressed."""

    plural: str
    namespaced: bool


class KubernetesApi:
    """An open connection to one cluster. Use `connect`."""

    def __init__(self, config: SingleConfig, http: httpx2.AsyncClient) -> None:
        self.context = config.context_name
        self.server = config.cluster.server
        self.namespace = config.namespace
        self.warnings: list[str] = []
        """What the API warned of, in the order of the answers, without repetitions."""
        self.server_time: datetime = datetime.now(UTC)
        """The API server's clock at its last answer, to the second."""
        self._http = http
        self._kinds: dict[str, dict[str, Resource]] = {}

    async def path(self, found: Json, *, namespace: str | None = None) -> str:
        """The address of an object.

        Raises:
            StageFailure: `kubernetes.kind_unknown`.
        """
        metadata = found["metadata"]
        base = await self.collection(found["apiVersion"], found["kind"], metadata.get("namespace") or namespace)
        return f"{base}/{metadata['name']}"

    async def collection(self, api_version: str, kind: str, namespace: str | None) -> str:
        """The address of a kind's objects, in a namespace where the kind has any.

        Raises:
            StageFailure: `kubernetes.kind_unknown`.
        """
        resource = await self._resource(api_version, kind)
        root = _root(api_version)
        inside = f"/namespaces/{namespace or self.namespace}" if resource.namespaced else ""
        return f"{root}{inside}/{resource.plural}"

    async def _resource(self, api_version: str, kind: str) -> Resource:
        if api_version not in self._kinds:
            try:
                listed = await self.get(_root(api_version))
            except StageFailure as failure:
                if failure.fault.code != "kubernetes.not_found":
                    raise
                listed = {"resources": []}
            self._kinds[api_version] = {
                str(found["kind"]): Resource(str(found["name"]), bool(found.get("namespaced")))
                for found in listed.get("resources") or []
                if "/" not in str(found["name"])
            }
        if (resource := self._kinds[api_version].get(kind)) is None:
            raise KIND_UNKNOWN(f"the cluster knows no {kind} of {api_version}", kind=f"{kind} ({api_version})")
        return resource

    async def get(self, path: str, **params: str) -> Json:
        """Read an object, list or discovery document."""
        return await self._ask("GET", path, params)

    async def find(self, path: str) -> Json | None:
        """Read an object; None where there is none."""
        try:
            return await self.get(path)
        except StageFailure as failure:
            if failure.fault.code == "kubernetes.not_found":
                return None
            raise

    async def apply(self, found: Json, path: str, *, dry_run: bool = False, force: bool = False) -> Json:
        """Apply an object on the server (server-side apply), owning the fields that it names.

        Args:
            found: What shall be; a field that was applied before and is missing now is removed.
            path: Its address.
            dry_run: Have the server check everything and change nothing.
            force: Take fields over that others manage.

        Raises:
            StageFailure: `kubernetes.conflict`, `kubernetes.invalid`, `kubernetes.immutable`, `kubernetes.forbidden`, …
        """
        params = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict", "force": str(force).lower()}
        if dry_run:
            params["dryRun"] = "All"
        return await self._ask("PATCH", path, params, found, content_type="application/apply-patch+yaml")

    async def create(self, path: str, found: Json) -> Json:
        """Create an object, or ask a review."""
        return await self._ask("POST", path, {}, found)

    async def merge(self, path: str, change: Json) -> Json:
        """Change some fields (JSON merge patch)."""
        params = {"fieldManager": FIELD_MANAGER}
        return await self._ask("PATCH", path, params, change, content_type="application/merge-patch+json")

    async def delete(self, path: str, *, uid: str | None = None) -> None:
        """Delete an object and what it owns; one that is gone, or was made anew under its name, is left alone."""
        options: Json = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            await self._ask("DELETE", path, {}, options)
        except StageFailure as failure:
            if failure.fault.code == "kubernetes.not_found" or _is_another(failure):
                return
            raise

    async def logs(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int = 50) -> str:
        """The last lines that a container printed; empty where there are none (any more)."""
        params = {"container": container, "tailLines": str(lines), "previous": str(previous).lower()}
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        with self._faults(path):
            answer = await self._http.get(path, params=params)
        return answer.text[-8000:] if answer.status_code == 200 else ""

    async def through_service(self, namespace: str, service: str, port: str, path: str) -> tuple[int, str]:
        """GET a path of a Service through the API server.

        Returns:
            The status and the first 2000 characters, the application's or (503) the API server's own.
        """
        address = f"/api/v1/namespaces/{namespace}/services/http:{service}:{port}/proxy{path}"
        with self._faults(address):
            answer = await self._http.get(address, follow_redirects=False)
        return answer.status_code, answer.text[:2000]

    @asynccontextmanager
    async def stream(self, path: str, **params: str) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of a watch, as long as it lasts; leaving the block closes it.

        Raises:
            StageFailure: The watch was refused.
        """
        import httpx2

        timeout = httpx2.Timeout(_SECONDS, read=_SILENCE)
        with self._faults(path):
            async with self._http.stream("GET", path, params={**params, "watch": "true"}, timeout=timeout) as answer:
                if answer.status_code >= 400:
                    await answer.aread()
                    raise refusal(answer.status_code, _body(answer), f"watch {path}")
                yield answer.aiter_lines()

    async def _ask(
        self, method: str, path: str, params: dict[str, str], content: Json | None = None, *, content_type: str = ""
    ) -> Json:
        import json

        headers = {"Accept": "application/json", "Content-Type": content_type or "application/json"}
        body = None if content is None else json.dumps(content).encode()
        with self._faults(path):
            answer = await self._http.request(method, path, params=params, content=body, headers=headers)
        self._note(answer)
        if answer.status_code >= 400:
            raise refusal(answer.status_code, _body(answer), _named(content, path), _retry_after(answer))
        read = _body(answer)
        if not isinstance(read, dict):
            raise API_ERROR(f"{path} gave no JSON", evidence=[Evidence(kind="http", text=str(read)[:500], where=path)])
        return read

    def _note(self, answer: httpx2.Response) -> None:
        """Keep what the answer's headers tell: warnings (RFC 7234, 5.5) and the server's clock."""
        for warning in answer.headers.get_list("warning"):
            text = warning.partition(" ")[2].partition(" ")[2].strip().strip('"').replace('\\"', '"')
            if text and text not in self.warnings:
                self.warnings.append(text)
        if date := answer.headers.get("date"):
            self.server_time = parsedate_to_datetime(date)

    def _faults(self, path: str) -> _Translated:
        return _Translated(self.context, self.server, path)


@asynccontextmanager
async def connect(context: str | None = None, kubeconfig: str | None = None) -> AsyncIterator[KubernetesApi]:
    """Open a connection to a context's cluster; nothing is sent yet.

    Raises:
        StageFailure: A fault of `kubeconfig` or `api_faults`.
    """
    config = await anyio.to_thread.run_sync(read_config, context, kubeconfig)
    import httpx2
    from lightkube.config.client_adapter import AsyncClient, ConnectionParams

    try:
        http = AsyncClient(config, ConnectionParams(timeout=httpx2.Timeout(_SECONDS), trust_env=True))
    except Exception as error:
        raise _certificate(config.context_name, error) from error
    async with http:
        yield KubernetesApi(config, http)


class _Translated:
    """Makes faults of what the connection raises."""

    def __init__(self, context: str, server: str, path: str) -> None:
        self._context, self._server, self._path = context, server, path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        import httpx2
        from lightkube.core.exceptions import ConfigError

        if isinstance(error, ConfigError | FileNotFoundError | PermissionError):
            evidence = [Evidence(kind="value", text=str(error)[:1000])]
            raise UNAUTHENTICATED(
                "the credential plugin of the kubeconfig fails", evidence=evidence, context=self._context
            ) from error
        if isinstance(error, httpx2.ConnectError) and isinstance(_root_cause(error), ssl.SSLError):
            raise _certificate(self._context, error) from error
        if isinstance(error, httpx2.HTTPError | OSError):
            evidence = [Evidence(kind="value", text=f"{type(error).__name__}: {error}"[:500], where=self._path)]
            raise UNREACHABLE(
                f"no answer from {self._server}", evidence=evidence, context=self._context, server=self._server
            ) from error


def _certificate(context: str, error: BaseException) -> StageFailure:
    evidence = [Evidence(kind="value", text=f"{type(error).__name__}: {error}"[:500])]
    return CERTIFICATE("TLS with the API server fails", evidence=evidence, context=context)


def _root_cause(error: BaseException) -> BaseException:
    below = error.__cause__ or error.__context__
    return _root_cause(below) if below is not None else error


def _root(api_version: str) -> str:
    return f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"


def _named(content: Json | None, path: str) -> str:
    if content is not None and isinstance(content.get("metadata"), dict) and "name" in content["metadata"]:
        return f"{content.get('kind')}/{content['metadata']['name']}"
    return "/".join(path.rstrip("/").split("/")[-2:])


def _body(answer: httpx2.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return answer.text[:2000]


def _retry_after(answer: httpx2.Response) -> float | None:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdigit() else None


def _is_another(failure: StageFailure) -> bool:
    """Whether a delete was refused because the object under the name is another one by now."""
    return any("Precondition failed" in evidence.text for evidence in failure.fault.evidence)
