"""Registries that send clients to a token server: a real registry, and a server of the test's own that signs tokens."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from container_kit.stages.artifacts.image import Image
from container_kit.stages.artifacts.push import PushOptions
from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.engine import DockerEngine
from container_kit.stages.push import PushImage
from support.engine.registry import Registry
from support.pipelines.contexts import Contexts
from support.pipelines.stages import execute

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.integration]

ACTIONS = {"ann": ["pull", "push", "delete"], "reader": ["pull"]}
PASSWORD = "planted-password"
REFRESH = "planted-refresh-token"


class TokenServer:
    """Gives a token to who shows the right password or refresh token; what it may be used for goes by the user."""

    def __init__(self, folder: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = _certificate(self._key)
        self.certificates = folder / "token.pem"
        self.certificates.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shown = base64.b64decode(self.headers.get("Authorization", "").partition(" ")[2] or "").decode()
                user, _, password = shown.partition(":")
                query = parse_qs(urlsplit(self.path).query)
                self._answer(user if password == PASSWORD else None, query)

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self._answer("ann" if form.get("refresh_token") == [REFRESH] else None, form)

            def _answer(self, user: str | None, query: dict[str, list[str]]) -> None:
                body = outer.token(user, query) if user else {"errors": [{"code": "UNAUTHORIZED"}]}
                self.send_response(200 if user else 401)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.realm = f"http://127.0.0.1:{self._server.server_port}/token"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def token(self, user: str, query: dict[str, list[str]]) -> dict[str, Any]:
        access = []
        for scope in " ".join(query.get("scope", [])).split():
            kind, name, actions = scope.split(":")
            granted = [action for action in actions.split(",") if action in ACTIONS[user]]
            access.append({"type": kind, "name": name, "actions": granted})
        now = int(time.time())
        claims = {"iss": "tests", "sub": user, "aud": query["service"][0], "exp": now + 300, "nbf": now - 5, "iat": now}
        chain = [base64.b64encode(self._certificate.public_bytes(serialization.Encoding.DER)).decode()]
        token = jwt.encode(
            claims | {"jti": "1", "access": access}, self._key, algorithm="ES256", headers={"x5c": chain}
        )
        return {"token": token, "access_token": token}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )


@pytest.fixture
def registry_with_tokens(tmp_path: Path, registry: Callable[..., Registry]) -> Iterator[Registry]:
    server = TokenServer(tmp_path)
    options = {"realm": server.realm, "service": "tests", "issuer": "tests"}
    yield registry(auth={"token": options | {"rootcertbundle": str(server.certificates)}})
    server.close()


async def push(engine: DockerEngine, ctx: Contexts, image: Image, registry: Registry) -> Any:
    name = image.reference.partition(":")[0]  # of this test, hence removed with it
    return await execute(PushImage(engine), ctx(), image, PushOptions(repository=f"{registry.host}/{name}/shop"))


async def test_a_password_buys_a_token_to_push_read_back_and_undo(
    engine: DockerEngine, ctx: Contexts, image: Callable[..., Image], registry_with_tokens: Registry,
    log_in: Callable[..., None],
) -> None:  # fmt: skip
    log_in(registry_with_tokens.host, "ann", PASSWORD)
    pushed = await push(engine, ctx, image(), registry_with_tokens)
    assert pushed.confirmed_by == "registry"
    await PushImage(engine).rollback(ctx(), pushed)


async def test_an_identity_token_does_too(
    engine: DockerEngine, ctx: Contexts, image: Callable[..., Image], registry_with_tokens: Registry,
    log_in: Callable[..., None],
) -> None:  # fmt: skip
    log_in(auths={registry_with_tokens.host: {"identitytoken": REFRESH}})
    pushed = await push(engine, ctx, image(), registry_with_tokens)
    assert pushed.confirmed_by == "registry"
    assert REFRESH not in pushed.model_dump_json()


@pytest.mark.parametrize(
    ("user", "password", "code"),
    [("ann", "wrong-password", "push.unauthorized"), ("reader", PASSWORD, "push.denied")],
)
async def test_a_user_without_permission_to_push_is_denied(
    engine: DockerEngine, ctx: Contexts, image: Callable[..., Image], registry_with_tokens: Registry,
    log_in: Callable[..., None], user: str, password: str, code: str,
) -> None:  # fmt: skip
    log_in(registry_with_tokens.host, user, password)
    with pytest.raises(StageFailure) as failed:
        await push(engine, ctx, image(), registry_with_tokens)
    assert (failed.value.fault.code, failed.value.fault.retryable) == (code, False)
    assert password not in failed.value.fault.model_dump_json()
    assert registry_with_tokens.blobs() == 0
