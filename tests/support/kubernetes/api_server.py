"""An emulated Kubernetes API server, spoken to over HTTP: discovery, server-side apply, watches, logs, proxy, reviews.

It stands in for a cluster, which cannot exist where these tests run; the same tests run against a real one by
CONTAINER_KIT_TEST_KUBECONFIG. A Deployment behaves as the recorded stream that its image is named after, else as `ok`.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import uvicorn
import yaml
from anyio.from_thread import start_blocking_portal
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from support.kubernetes.endpoints import reach
from support.kubernetes.replay import STREAMS, replay
from support.kubernetes.store import KINDS, Key, Refused, Store, now

Json = dict[str, Any]


class ApiServer:
    """One emulated cluster."""

    def __init__(self, speed: float = 20) -> None:
        self.speed = speed
        self.store = Store()
        self.denied: set[tuple[str, str]] = set()
        """(verb, resource) that the user may not do."""
        self.failing: list[Response | None] = []
        """Answers to give to the next requests that change something, instead of doing it; None does it."""
        self.busy: list[Response] = []
        """Answers to give to the next requests, whatever they are."""
        self.log = "Traceback: the last words\n"
        self.application: tuple[int, str] = (200, "hello")
        """What the deployed application answers through the API proxy."""
        self.paused = False
        """While it is true the controllers do nothing."""
        self.spectators = 5
        """Watches that the controllers wait for: they are so fast that a busy client would miss how it began."""
        self.requests: list[tuple[str, str]] = []
        self.reads: list[tuple[str, bool]] = []
        """The path of each list, and whether it was a watch."""
        self.tokens: list[str] = []
        """The Authorization header of each request."""
        self.watches = 0
        """Watches that are open now."""
        self.port = 0
        for name in ("default", "kube-system", "kube-public", "shop"):
            self.add("v1", "Namespace", name, labels={"kubernetes.io/metadata.name": name})
        routes = [Route("/{path:path}", self._answer, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])]
        self._app = Starlette(routes=routes)
        self._tasks: anyio.abc.TaskGroup | None = None

    def add(self, api_version: str, kind: str, name: str, namespace: str = "", **content: Any) -> Json:
        """Put an object there, as somebody else would have made it."""
        metadata = {
            "name": name,
            "labels": content.pop("labels", {}),
            **({"namespace": namespace} if namespace else {}),
        }
        found = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}
        return self.store.put((KINDS[api_version][kind][0], namespace, name), found)

    def get(self, plural: str, name: str, namespace: str = "shop") -> Json | None:
        return self.store.objects.get((plural, namespace, name))

    @contextlib.contextmanager
    def serving(self) -> Iterator[ApiServer]:
        """Serve on a free port, in a thread of its own."""
        config = uvicorn.Config(self._app, host="127.0.0.1", port=0, log_level="error", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None  # type: ignore[method-assign]
        with start_blocking_portal() as portal:
            running = portal.start_task_soon(self._run, server)
            deadline = time.monotonic() + 30
            while not server.started and time.monotonic() < deadline and not running.done():
                threading.Event().wait(0.01)
            self.port = server.servers[0].sockets[0].getsockname()[1]
            try:
                yield self
            finally:
                server.should_exit = server.force_exit = True
                running.result(30)

    async def _run(self, server: uvicorn.Server) -> None:
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            self.store.loop = asyncio.get_running_loop()
            await server._serve()
            tasks.cancel_scope.cancel()

    def kubeconfig(self) -> str:
        """A kubeconfig with the contexts `test` and `kind-test` for this server."""
        clusters = [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}]
        context = {"cluster": "test", "user": "test", "namespace": "shop"}
        contexts = [{"name": name, "context": context} for name in ("test", "kind-test", "k3d-test", "minikube")]
        users = [{"name": "test", "user": {"token": "a-token-of-the-test"}}]
        return yaml.safe_dump(
            {"clusters": clusters, "contexts": contexts, "users": users, "current-context": "test", "kind": "Config"}
        )

    async def _answer(self, request: Request) -> Response:
        path = request.path_params["path"].strip("/").split("/")
        self.requests.append((request.method, request.url.path))
        self.tokens.append(request.headers.get("authorization", ""))
        try:
            if self.busy:
                return self.busy.pop(0)
            changes = request.method in ("PATCH", "POST", "PUT") and "dryRun" not in request.query_params
            if self.failing and changes and (answer := self.failing.pop(0)) is not None:
                return answer
            return await self._route(request, path)
        except Refused as refused:
            return JSONResponse(refused.body, refused.status)

    async def _route(self, request: Request, path: list[str]) -> Response:
        if path == ["version"]:
            return JSONResponse({"gitVersion": "v1.36.0", "major": "1", "minor": "36"})
        if path == ["apis"]:
            groups = [{"name": v.partition("/")[0], "preferredVersion": {"groupVersion": v}} for v in KINDS if "/" in v]
            return JSONResponse({"kind": "APIGroupList", "groups": groups})
        if path[0] == "apis" and path[-1].startswith("selfsubjectaccessreviews"):
            return await self._review(request)
        api_version, rest = (path[1], path[2:]) if path[0] == "api" else ("/".join(path[1:3]), path[3:])
        if api_version not in KINDS:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        if not rest:
            return JSONResponse(_discovery(api_version))
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        return await self._resource(request, namespace, rest)

    async def _resource(self, request: Request, namespace: str, rest: list[str]) -> Response:
        plural, name, below = rest[0], rest[1] if len(rest) > 1 else "", rest[2:]
        if below[:1] == ["log"]:
            return PlainTextResponse(self.log)
        if below[:1] == ["proxy"]:
            return PlainTextResponse(self.application[1], self.application[0])
        self._may(request, plural, namespace, bool(name))
        if request.method in ("PATCH", "PUT"):
            return await self._patch(request, (plural, namespace, name))
        if request.method == "DELETE":
            return await self._delete(request, (plural, namespace, name))
        if name:
            return JSONResponse(self._found((plural, namespace, name)))
        watched = request.query_params.get("watch") == "true"
        self.reads.append((request.url.path, watched))
        if watched:
            return StreamingResponse(self._watch(request, plural, namespace), media_type="application/json")
        return JSONResponse(self._list(request, plural, namespace))

    def _may(self, request: Request, plural: str, namespace: str, named: bool) -> None:
        verb = {"PATCH": "patch", "PUT": "update", "DELETE": "delete", "POST": "create"}.get(
            request.method, "get" if named else "list"
        )
        if (verb, plural) in self.denied:
            words = f'{plural} is forbidden: User "test" cannot {verb} resource "{plural}" in API group "apps"'
            raise Refused(403, "Forbidden", f'{words} in the namespace "{namespace}"')

    def _found(self, key: Key) -> Json:
        if key not in self.store.objects:
            raise Refused(404, "NotFound", f'{key[0]} "{key[2]}" not found')
        return self.store.objects[key]

    def _list(self, request: Request, plural: str, namespace: str) -> Json:
        wanted = dict(p.split("=", 1) for p in request.query_params.get("labelSelector", "").split(",") if p)
        items = [
            {k: v for k, v in found.items() if k not in ("kind", "apiVersion")}
            for (kind, where, _), found in list(self.store.objects.items())
            if kind == plural and where == namespace and wanted.items() <= found["metadata"].get("labels", {}).items()
        ]
        return {"kind": "List", "metadata": {"resourceVersion": str(self.store.version)}, "items": items}

    async def _patch(self, request: Request, key: Key) -> Response:
        body = json.loads(await request.body())
        dry_run = request.query_params.get("dryRun") == "All"
        if key[1] and ("namespaces", "", key[1]) not in self.store.objects:
            raise Refused(404, "NotFound", f'namespaces "{key[1]}" not found')
        if request.headers["content-type"] != "application/apply-patch+yaml":
            return JSONResponse(self._update(request, key, body))
        before = self.store.objects.get(key)
        old = (before or {}).get("spec", {}).get("template")
        found, new = self.store.apply(
            key, body, request.query_params["fieldManager"], force=request.query_params.get("force") == "true",
            dry_run=dry_run,
        )  # fmt: skip
        if key[0] == "deployments" and not dry_run and (new or old != found["spec"]["template"]):
            self._start(found)
        if key[0] == "services" and not dry_run:
            reach(self.store, key[1])
        answer = JSONResponse(found, 201 if new else 200)
        for words in self._warnings(key, found):
            answer.headers.append("Warning", f'299 - "{words}"')
        return answer

    def _update(self, request: Request, key: Key, body: Any) -> Json:
        """Replace an object (PUT), or change it by a merge patch or by a JSON patch of one value."""
        live = self._found(key)
        wanted = copy.deepcopy(live)
        if request.method == "PUT":
            wanted = body
        elif request.headers["content-type"] == "application/merge-patch+json":
            wanted = _merged(wanted, body)
        else:
            [operation] = body
            *above, last = operation["path"].strip("/").split("/")
            holder = wanted
            for name in above:
                holder = holder[name]
            holder[last] = operation["value"]
        if request.method != "PUT":
            for name in ("managedFields", "resourceVersion"):
                wanted["metadata"].pop(name, None)
        found = self.store.update(key, wanted, request.query_params["fieldManager"])
        if key[0] == "deployments" and live["spec"]["template"] != found["spec"]["template"]:
            self._start(found)
        return found

    def control(self, deployment: Json) -> None:
        """Have the controllers see to a Deployment that a test changed, from the thread of the test."""
        if self.store.loop is not None:
            self.store.loop.call_soon_threadsafe(self._start, deployment)

    def _start(self, deployment: Json) -> None:
        """Have the controllers see to a new template."""
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        stream = image.rpartition("/")[2].partition(":")[0].partition("@")[0]
        known = (STREAMS / f"{stream}.jsonl").exists()
        if self._tasks is not None:
            self._tasks.start_soon(self._control, deployment, stream if known else "ok")

    async def _control(self, deployment: Json, stream: str) -> None:
        while self.paused or self.watches < self.spectators:
            await anyio.sleep(0.01)
        await replay(self.store, deployment, stream, self.speed)

    def _warnings(self, key: Key, found: Json) -> list[str]:
        namespace = self.store.objects.get(("namespaces", "", key[1]), {"metadata": {}})
        level = namespace["metadata"].get("labels", {}).get("pod-security.kubernetes.io/warn")
        if key[0] != "deployments" or level != "restricted":
            return []
        pod = found["spec"]["template"]["spec"]
        contexts = [container.get("securityContext", {}) for container in pod["containers"]]
        wrong = [c for c in contexts if c.get("privileged") or c.get("allowPrivilegeEscalation") is not False]
        text = 'would violate PodSecurity \\"restricted:latest\\": allowPrivilegeEscalation != false'
        return [text] if wrong else []

    async def _delete(self, request: Request, key: Key) -> Response:
        body = json.loads(await request.body() or b"{}")
        found = self._found(key)
        uid = body.get("preconditions", {}).get("uid")
        if uid is not None and uid != found["metadata"]["uid"]:
            raise Refused(409, "Conflict", f"Precondition failed: UID in precondition: {uid}, UID in object meta: …")
        return JSONResponse(self.store.delete(key))

    async def _review(self, request: Request) -> Response:
        body = json.loads(await request.body())
        asked = body["spec"]["resourceAttributes"]
        resource = "/".join(p for p in (asked["resource"], asked.get("subresource")) if p)
        allowed = (asked["verb"], resource) not in self.denied
        return JSONResponse({**body, "status": {"allowed": allowed}}, 201)

    async def _watch(self, request: Request, plural: str, namespace: str) -> AsyncIterator[str]:
        seen = int(request.query_params.get("resourceVersion") or self.store.version)
        self.watches += 1
        try:
            while True:
                if seen < self.store.oldest:
                    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
                    yield json.dumps({"type": "ERROR", "object": gone}) + "\n"
                    return
                changed = self.store.changed
                history = list(self.store.history)  # another thread may change the store meanwhile
                for version, kind, key, found in history:
                    if version > seen and key[0] == plural and key[1] == namespace:
                        yield json.dumps({"type": kind, "object": found}) + "\n"
                seen = max(seen, history[-1][0] if history else 0)
                await changed.wait()
        finally:
            self.watches -= 1


def _merged(live: Any, change: Any) -> Any:
    """A JSON merge patch (RFC 7386)."""
    if not isinstance(change, dict):
        return change
    merged = dict(live) if isinstance(live, dict) else {}
    for key, value in change.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def _discovery(api_version: str) -> Json:
    resources = [
        {"name": plural, "kind": kind, "namespaced": namespaced}
        for kind, (plural, namespaced) in KINDS[api_version].items()
    ]
    resources += [{"name": f"{found['name']}/status", "kind": found["kind"]} for found in list(resources)]
    return {"kind": "APIResourceList", "groupVersion": api_version, "resources": resources, "at": now()}
