"""The adapter to the Kubernetes API: plain objects over lightkube's connection, with errors translated to faults.

Objects stay as the API writes them, because a typed client would drop unknown fields.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio

from container_kit.stages.contract import expressions as re
from container_kit.stages.contract.fault import Evidence, StageFailure
from container_kit.stages.deploy.kubernetes.cluster.api_faults import (
    API_ERROR,
    CERTIFICATE,
    INVALID,
    KIND_NOT_FOUND,
    UNAUTHENTICATED,
    UNREACHABLE,
    rejection,
)
from container_kit.stages.deploy.kubernetes.cluster.kubeconfig import read_config

if TYPE_CHECKING:
    import httpx2
    from lightkube.config.kubeconfig import SingleConfig

Json = dict[str, Any]

FIELD_MANAGER = "container-kit"
_API_VERSION = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?/)?v[a-z0-9]+")
_SECONDS = 20.0
_READ_SECONDS = 320.0
"""Seconds after which a silent watch is dead; the server ends each watch earlier."""


@dataclass(frozen=True, slots=True)
class Resource:
    """The API resource of a kind."""

    plural: str
    namespaced: bool
    listable: bool = True


class KubernetesApi:
    """An open connection to one cluster. Use `connect`."""

    def __init__(self, config: SingleConfig, http: httpx2.AsyncClient) -> None:
        self.context = config.context_name
        self.server = config.cluster.server
        self.namespace = config.namespace
        self.warnings: list[str] = []
        """The API's warnings, in order, without repetitions."""
        self.server_time: datetime = datetime.now(UTC)
        """The API server's clock at its last response, in whole seconds."""
        self._http = http
        self._kinds: dict[str, dict[str, Resource]] = {}

    async def path(self, obj: Json, *, namespace: str | None = None) -> str:
        """Return the path of an object.

        Raises:
            StageFailure: `kubernetes.kind_not_found`, or `kubernetes.invalid` for a name that cannot be a path segment.
        """
        metadata = obj["metadata"]
        base = await self.collection(obj["apiVersion"], obj["kind"], metadata.get("namespace") or namespace)
        return f"{base}/{_segment(metadata['name'])}"

    async def is_namespaced(self, api_version: str, kind: str) -> bool:
        """Return whether the objects of a kind belong to a namespace, as the API says.

        Raises:
            StageFailure: `kubernetes.kind_not_found`.
        """
        return (await self._resource(api_version, kind)).namespaced

    async def collection(self, api_version: str, kind: str, namespace: str | None) -> str:
        """Return the path of a kind's objects, in a namespace if the kind is namespaced.

        Raises:
            StageFailure: `kubernetes.kind_not_found`.
        """
        resource = await self._resource(api_version, kind)
        root = _root(api_version)
        scope = f"/namespaces/{_segment(namespace or self.namespace)}" if resource.namespaced else ""
        return f"{root}{scope}/{resource.plural}"

    async def namespaced_kinds(self) -> list[tuple[str, str]]:
        """Return the API version and the kind of everything that can be listed in a namespace, preferred versions."""
        groups = (await self.get("/apis")).get("groups") or []
        versions = ["v1", *(str(group["preferredVersion"]["groupVersion"]) for group in groups)]
        kinds = []
        for version in versions:
            try:
                resources = await self._resources(version)
            except StageFailure as failure:  # an aggregated API whose server is away
                if failure.fault.code not in {"kubernetes.busy", "kubernetes.api_error", "kubernetes.not_found"}:
                    raise
                continue
            kinds += [(version, kind) for kind, item in resources.items() if item.namespaced and item.listable]
        return kinds

    async def _resource(self, api_version: str, kind: str) -> Resource:
        if not _API_VERSION.fullmatch(api_version):
            raise KIND_NOT_FOUND(f"{api_version[:80]!r} is not an API version", kind=f"{kind} ({api_version[:80]})")
        if (resource := (await self._resources(api_version)).get(kind)) is None:
            raise KIND_NOT_FOUND(f"the cluster has no kind {kind} of {api_version}", kind=f"{kind} ({api_version})")
        return resource

    async def _resources(self, api_version: str) -> dict[str, Resource]:
        if api_version not in self._kinds:
            try:
                listed = await self.get(_root(api_version))
            except StageFailure as failure:
                if failure.fault.code != "kubernetes.not_found":
                    raise
                listed = {"resources": []}
            self._kinds[api_version] = {
                str(item["kind"]): Resource(
                    str(item["name"]), bool(item.get("namespaced")), "list" in (item.get("verbs") or ["list"])
                )
                for item in listed.get("resources") or []
                if "/" not in str(item["name"])
            }
        return self._kinds[api_version]

    async def get(self, path: str, **params: str) -> Json:
        """Read an object, list or discovery document."""
        return await self._request("GET", path, params)

    async def find(self, path: str) -> Json | None:
        """Read an object; None if it does not exist."""
        try:
            return await self.get(path)
        except StageFailure as failure:
            if failure.fault.code == "kubernetes.not_found":
                return None
            raise

    async def apply(
        self, obj: Json, path: str, *, dry_run: bool = False, force: bool = False, manager: str = FIELD_MANAGER
    ) -> Json:
        """Apply an object (server-side apply); Container Kit then owns its fields.

        Args:
            obj: The desired object; fields that were applied before and are missing now are removed.
            path: Its path.
            dry_run: Let the server check everything, without changing anything.
            force: Take ownership of fields that others manage.
            manager: The field manager.

        Raises:
            StageFailure: `kubernetes.conflict`, `kubernetes.invalid`, `kubernetes.immutable`, `kubernetes.forbidden`, …
        """
        params = {"fieldManager": manager, "fieldValidation": "Strict", "force": str(force).lower()}
        if dry_run:
            params["dryRun"] = "All"
        return await self._request("PATCH", path, params, obj, content_type="application/apply-patch+yaml")

    async def create(self, path: str, obj: Json) -> Json:
        """Create an object or a review."""
        return await self._request("POST", path, {}, obj)

    async def merge(self, path: str, change: Json) -> Json:
        """Change some fields (JSON merge patch)."""
        params = {"fieldManager": FIELD_MANAGER}
        return await self._request("PATCH", path, params, change, content_type="application/merge-patch+json")

    async def patch(self, path: str, operations: list[Json]) -> Json:
        """Change an object by a JSON patch (RFC 6902)."""
        params = {"fieldManager": FIELD_MANAGER}
        return await self._send("PATCH", path, params, operations, "application/json-patch+json")

    async def replace(self, path: str, obj: Json) -> Json:
        """Replace the content of an object.

        `metadata.managedFields` of `obj` replaces the ownership of its fields too.
        """
        return await self._request("PUT", path, {"fieldManager": FIELD_MANAGER}, obj)

    async def delete(self, path: str, *, uid: str | None = None) -> None:
        """Delete an object and its dependents; a missing object, or a new one of the same name, is ignored."""
        options: Json = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            await self._request("DELETE", path, {}, options)
        except StageFailure as failure:
            if failure.fault.code == "kubernetes.not_found" or _is_replaced(failure):
                return
            raise

    async def logs(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int = 50) -> str:
        """Return the last log lines of a container; empty if it printed nothing."""
        params = {"container": container, "tailLines": str(lines), "previous": str(previous).lower()}
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        with self._faults(path):
            response = await self._http.get(path, params=params)
        return response.text[-8000:] if response.status_code == 200 else ""

    async def through_service(self, namespace: str, service: str, port: str, path: str) -> tuple[int, str]:
        """GET a path of a Service through the API server.

        Returns:
            The status and the first 2000 characters, from the application or (503) from the API server.
        """
        address = f"/api/v1/namespaces/{namespace}/services/http:{service}:{port}/proxy{path}"
        with self._faults(address):
            response = await self._http.get(address, follow_redirects=False)
        return response.status_code, response.text[:2000]

    @asynccontextmanager
    async def stream(self, path: str, **params: str) -> AsyncIterator[AsyncIterator[str]]:
        """Open a watch and iterate over its lines; leaving the block closes it.

        Raises:
            StageFailure: The watch was rejected.
        """
        import httpx2

        timeout = httpx2.Timeout(_SECONDS, read=_READ_SECONDS)
        with self._faults(path):
            async with self._http.stream("GET", path, params={**params, "watch": "true"}, timeout=timeout) as response:
                if response.status_code >= 400:
                    await response.aread()
                    raise rejection(response.status_code, _body(response), f"watch {path}")
                yield response.aiter_lines()

    async def _request(
        self, method: str, path: str, params: dict[str, str], content: Json | None = None, *, content_type: str = ""
    ) -> Json:
        return await self._send(method, path, params, content, content_type or "application/json")

    async def _send(
        self, method: str, path: str, params: dict[str, str], content: Json | list[Json] | None, content_type: str
    ) -> Json:
        import json

        headers = {"Accept": "application/json", "Content-Type": content_type}
        data = None if content is None else json.dumps(content).encode()
        with self._faults(path):
            response = await self._http.request(method, path, params=params, content=data, headers=headers)
        self._record_headers(response)
        if response.status_code >= 400:
            raise rejection(response.status_code, _body(response), _object_name(content, path), _retry_after(response))
        body = _body(response)
        if not isinstance(body, dict):
            raise API_ERROR(f"{path} is not JSON", evidence=[Evidence(kind="http", text=str(body)[:500], where=path)])
        return body

    def _record_headers(self, response: httpx2.Response) -> None:
        """Record warnings (RFC 7234, 5.5) and the server's clock."""
        for warning in response.headers.get_list("warning"):
            text = warning.partition(" ")[2].partition(" ")[2].strip().strip('"').replace('\\"', '"')
            if text and text not in self.warnings:
                self.warnings.append(text)
        if date := response.headers.get("date"):
            self.server_time = parsedate_to_datetime(date)

    def _faults(self, path: str) -> _TranslateErrors:
        return _TranslateErrors(self.context, self.server, path)


@asynccontextmanager
async def connect(context: str | None = None, kubeconfig: str | None = None) -> AsyncIterator[KubernetesApi]:
    """Open a connection to the cluster of a context, without sending a request.

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


class _TranslateErrors:
    """Translates the errors of the connection to faults."""

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
                "the credential plugin of the kubeconfig failed", evidence=evidence, context=self._context
            ) from error
        if isinstance(error, httpx2.ConnectError) and _is_certificate_error(_root_cause(error)):
            raise _certificate(self._context, error) from error
        if isinstance(error, httpx2.HTTPError | OSError):
            evidence = [Evidence(kind="value", text=f"{type(error).__name__}: {error}"[:500], where=self._path)]
            raise UNREACHABLE(
                f"no response from {self._server}", evidence=evidence, context=self._context, server=self._server
            ) from error


def _certificate(context: str, error: BaseException) -> StageFailure:
    evidence = [Evidence(kind="value", text=f"{type(error).__name__}: {error}"[:500])]
    return CERTIFICATE("the TLS connection to the API server failed", evidence=evidence, context=context)


def _root_cause(error: BaseException) -> BaseException:
    below = error.__cause__ or error.__context__
    return _root_cause(below) if below is not None else error


def _is_certificate_error(cause: BaseException) -> bool:
    """Return whether a certificate was rejected, by this side or (TLS alerts) by the server; not a lost connection."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return True
    return isinstance(cause, ssl.SSLError) and any(word in (cause.reason or "") for word in ("CERTIFICATE", "_CA"))


def _segment(name: str) -> str:
    """Quote a name as one segment of a path; the API's rule for names of any kind (`IsValidPathSegmentName`)."""
    if name in {"", ".", ".."} or "/" in name or "%" in name:
        evidence = [Evidence(kind="value", text=repr(name[:200]))]
        message = f"{name[:80]!r} is not the name of an object"
        raise INVALID(message, evidence=evidence, fields="metadata.name or metadata.namespace", what="the object")
    return quote(name, safe="")


def _root(api_version: str) -> str:
    return f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"


def _object_name(content: Json | list[Json] | None, path: str) -> str:
    if isinstance(content, dict) and isinstance(content.get("metadata"), dict) and "name" in content["metadata"]:
        return f"{content.get('kind')}/{content['metadata']['name']}"
    return "/".join(path.rstrip("/").split("/")[-2:])


def _body(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text[:2000]


def _retry_after(response: httpx2.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdigit() else None


def _is_replaced(failure: StageFailure) -> bool:
    """Return whether a delete was rejected because a new object has the name."""
    return any("Precondition failed" in evidence.text for evidence in failure.fault.evidence)
