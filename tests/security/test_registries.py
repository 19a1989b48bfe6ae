"""A push must not carry requests into the network of the server, nor answers of other services out of it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.push import PushOptions
from container_kit.stages.contract.fault import Fault, StageFailure
from container_kit.stages.contract.operator_policy import OperatorPolicy
from container_kit.stages.docker.credentials import Credentials
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.docker.image_reference import ImageReference
from container_kit.stages.push import PushImage, addresses
from container_kit.stages.push.addresses import AddressRefused
from container_kit.stages.push.registry import Registry, RegistryError, RegistryManifest, RegistryUnreachable
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

pytestmark = pytest.mark.anyio

PLANTED = "METADATA-PLANTED-SECRET"
Answer = Callable[[str, str], tuple[int, dict[str, str], bytes]]


@contextmanager
def serving(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """Run an HTTP server on loopback; yield its address and its requests."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            requests.append(f"{self.command} {self.path}")
            status, headers, body = answer(self.command, self.path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body if self.command != "HEAD" else b"")

        do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = do_PATCH = _handle  # noqa: N815 - names of the base

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def metadata() -> Iterator[tuple[str, list[str]]]:
    """A service that answers everybody with its credentials, as the metadata service of a cloud does."""
    body = json.dumps({"AccessKeyId": "ASIAPLANTED", "SecretAccessKey": PLANTED, "token": PLANTED}).encode()
    with serving(lambda _method, _path: (403, {"Docker-Content-Digest": PLANTED}, body)) as found:
        yield found


def client(host: str) -> Registry:
    return Registry(ImageReference(host, "x", "1"), Credentials(host), insecure=True)


def calls(registry: Registry) -> Iterator[Callable[[], Any]]:
    yield registry.check
    yield lambda: registry.head("1")
    yield lambda: registry.get("1")
    yield lambda: registry.put("1", RegistryManifest("sha256:" + "a" * 64, "application/json", b"{}"))
    yield lambda: registry.delete("1")
    yield lambda: registry.tags(10)


@pytest.mark.integration
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["http://HOST/latest/meta-data/", "//HOST/x", "http://localhost:PORT/x"])
def test_no_request_follows_a_redirect_to_another_host_or_port(
    status: int, to: str, metadata: tuple[str, list[str]]
) -> None:
    host, seen = metadata
    location = to.replace("HOST", host).replace("PORT", host.partition(":")[2])
    with serving(lambda _method, _path: (status, {"Location": location}, b"")) as (registry, _):
        for call in calls(client(registry)):
            with pytest.raises(RegistryError) as caught:
                call()
            assert PLANTED not in str(caught.value)
    assert seen == []


@pytest.mark.integration
def test_a_redirect_on_the_same_host_is_followed_for_reads_only() -> None:
    def answer(_method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        return (200, {}, b"{}") if path == "/there" else (307, {"Location": "/there"}, b"")

    with serving(answer) as (registry, seen):
        client(registry).check()
        with pytest.raises(RegistryError):
            client(registry).delete("1")
        assert seen == ["GET /v2/", "GET /there", "DELETE /v2/x/manifests/1"]
    with (
        serving(lambda _method, _path: (307, {"Location": "/v2/"}, b"")) as (registry, _),
        pytest.raises(RegistryError),
    ):
        client(registry).check()


@pytest.mark.integration
def test_nothing_of_an_answer_but_the_errors_of_a_registry_is_reported(metadata: tuple[str, list[str]]) -> None:
    for call in calls(client(metadata[0])):
        with pytest.raises(RegistryError) as caught:
            call()
        assert PLANTED not in str(caught.value)
    long = {"errors": [{"code": "DENIED\n\x1b[2J", "message": "no " + "x" * 9000, "detail": PLANTED}] * 50}
    for body in (json.dumps(long).encode(), b"[" * 9000, b"\xff", json.dumps({"errors": PLANTED}).encode()):
        with serving(lambda _method, _path, body=body: (403, {}, body)) as (registry, _):  # type: ignore[misc]
            with pytest.raises(RegistryError) as caught:
                client(registry).check()
            text = str(caught.value)
            assert PLANTED not in text
            assert len(text) < 1000
            assert text.isprintable()


@pytest.mark.integration
def test_a_token_server_on_another_host_needs_https(metadata: tuple[str, list[str]]) -> None:
    port = metadata[0].partition(":")[2]
    for realm in (f"http://localhost:{port}/token", f"http://[::1]:{port}/token", "file:///etc/passwd", "ftp://x/"):
        headers = {"WWW-Authenticate": f'Bearer realm="{realm}",service="x"'}
        with serving(lambda _method, _path, headers=headers: (401, headers, b"")) as (registry, seen):  # type: ignore[misc]
            with pytest.raises((RegistryError, RegistryUnreachable)):
                client(registry).check()
            assert all(PLANTED not in line for line in seen)
    assert metadata[1] == []


FORBIDDEN = [169 * 2**24 + 254 * 2**16 + last for last in (1, 254, 65535)]
"""Addresses of the block 169.254.0.0/16, as numbers; nothing is ever sent to them."""


def notations(number: int) -> list[str]:
    first, second, third, fourth = number.to_bytes(4, "big")
    return [
        f"{first}.{second}.{third}.{fourth}",
        str(number),
        hex(number),
        f"0{number:o}",
        f"0x{first:x}.0x{second:x}.0{third:o}.{fourth}",
        f"{first}.{number & 0xFFFFFF}",
        f"::ffff:{first}.{second}.{third}.{fourth}",
        f"::ffff:{number >> 16:x}:{number & 0xFFFF:x}",
        f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1",
        f"64:ff9b::{number >> 16:x}:{number & 0xFFFF:x}",
    ]


@pytest.mark.parametrize("host", [text for number in FORBIDDEN for text in notations(number)])
def test_every_notation_of_a_link_local_address_is_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        addresses.resolve(host, 80)


@pytest.mark.parametrize("host", ["fe80::1", "febf::1", "ff02::1", "fd00:ec2::254"])
def test_link_local_and_multicast_addresses_of_ipv6_are_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        addresses.resolve(host, 80)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "8.8.8.8", "fd12::1", "localhost"])
def test_addresses_of_registries_are_not_refused(host: str) -> None:
    assert addresses.resolve(host, 80)


class Names:
    """A resolver whose answers for one name change, as those of an attacker's name server do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
        self._real, self._answers = socket.getaddrinfo, list(answers)
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if host == "evil.example":
            host = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return self._real(host, port, *arguments, **options)


async def refused(ctx: Contexts, repository: str, policy: OperatorPolicy | None = None) -> Fault:
    stage = PushImage(DockerEngine(), policy or OperatorPolicy())
    image = Image(id="sha256:" + "a" * 64, reference="x:1")
    faults = []
    options = PushOptions(repository=repository)
    reference = await stage.resolve(ctx(), options, image)
    for call in (stage.validate(ctx(), reference), stage.preview(ctx(), image, reference),
                 stage.execute(ctx(), image, reference)):  # fmt: skip
        with pytest.raises(StageFailure) as caught:
            await call
        faults.append(caught.value.fault)
    assert len({fault.code for fault in faults}) == 1
    return faults[0]


@pytest.fixture
def ctx(workspace: Any) -> Contexts:
    return Contexts("run", workspace)


@pytest.mark.parametrize("host", [*notations(FORBIDDEN[1])[:6], "[fe80::1]", "[::ffff:a9fe:1]"])
async def test_a_push_to_a_link_local_registry_is_refused_before_the_engine_receives_it(
    host: str, ctx: Contexts
) -> None:
    fault = await refused(ctx, f"{host}:80/x")
    assert fault.code == "push.registry_not_allowed"


async def test_a_name_that_leads_to_a_link_local_address_is_refused(
    ctx: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    Names(monkeypatch, str(FORBIDDEN[0]))
    assert (await refused(ctx, "evil.example/x")).code == "push.registry_not_allowed"


@pytest.mark.integration
def test_a_name_that_changes_between_the_check_and_the_connection_is_refused(
    monkeypatch: pytest.MonkeyPatch, metadata: tuple[str, list[str]]
) -> None:
    Names(monkeypatch, "127.0.0.1", str(FORBIDDEN[0]))
    registry = client(f"evil.example:{metadata[0].partition(':')[2]}")
    with pytest.raises(RegistryError, match="never the address"):
        registry.check()


@pytest.mark.parametrize(
    ("allowed", "repository", "code"),
    [
        (("registry.example.org",), "evil.example/x", "push.registry_not_allowed"),
        (("registry.example.org",), "registry.example.org.evil.example/x", "push.registry_not_allowed"),
        (("registry.example.org",), "registry.example.org:8443/x", "push.registry_not_allowed"),
        (("registry.example.org",), "team/x", "push.registry_not_allowed"),
        (("*.example.org",), "example.org/x", "push.registry_not_allowed"),
        (("docker.io",), "localhost:5000/x", "push.registry_not_allowed"),
    ],
)
async def test_only_the_registries_of_the_operator_are_pushed_to(
    allowed: tuple[str, ...], repository: str, code: str, ctx: Contexts
) -> None:
    assert (await refused(ctx, repository, OperatorPolicy(registries=allowed))).code == code


@pytest.mark.parametrize(
    ("pattern", "registry"),
    [("*.example.org", "a.example.org"), ("Docker.IO", "docker.io"), ("r.example:5000", "R.EXAMPLE:5000")],
)
def test_patterns_of_the_operator_allow_registries(pattern: str, registry: str) -> None:
    assert OperatorPolicy(registries=(pattern,)).allows_registry(registry)


@pytest.mark.engine
async def test_the_engine_too_reports_nothing_of_what_a_registry_led_it_to(
    ctx: Contexts, engine: DockerEngine, tiny_image: str, metadata: tuple[str, list[str]], unique: Callable[[], str],
    docker_api: Any,
) -> None:  # fmt: skip
    name = unique()
    docker_api.tag(tiny_image, name, "1")
    checks = {"left": 2}  # this process is answered well; the engine is sent elsewhere

    def answer(method: str, path: str) -> tuple[int, dict[str, str], bytes]:
        if path == "/v2/" or method == "HEAD":
            return (
                (200, {"Docker-Distribution-Api-Version": "registry/2.0"}, b"{}") if method == "GET" else (404, {}, b"")
            )
        checks["left"] -= 1
        return 307, {"Location": f"http://{metadata[0]}/latest/"}, b""

    with ExitStack() as stack:
        host, _ = stack.enter_context(serving(answer))
        image = Image(id=docker_api.inspect_image(f"{name}:1")["Id"], reference=f"{name}:1")
        with pytest.raises(StageFailure) as caught:
            await execute(PushImage(engine), ctx(), image, PushOptions(repository=f"{host}/{name}"))
    assert PLANTED not in caught.value.fault.model_dump_json()
