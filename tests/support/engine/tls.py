"""An engine behind TCP: plain, or with TLS that requires a client's certificate."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

from anyio.from_thread import start_blocking_portal
from docker import APIClient

from container_kit.stages.docker.engine import DockerEngine


@contextlib.contextmanager
def forwarded(engine: str | APIClient, certificates: Path | None = None) -> Iterator[str]:
    """Forward a port of 127.0.0.1 to an engine's Unix socket; yield `tcp://127.0.0.1:PORT`.

    Args:
        engine: Its address, or a client on the machine's engine.
        certificates: A folder of `make_certificates`; with it, connections are mutual TLS.
    """
    path = (engine if isinstance(engine, str) else DockerEngine().host).removeprefix("unix://")
    context = None
    if certificates is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
        context.load_verify_locations(certificates / "ca.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    with start_blocking_portal() as portal:
        open_: list[asyncio.StreamWriter] = []
        server = portal.call(_serve, context, path, open_)
        try:
            yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            portal.call(server.close)
            portal.call(_close, open_)


async def _serve(context: ssl.SSLContext | None, path: str, open_: list[asyncio.StreamWriter]) -> asyncio.Server:
    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        engine_reader, engine_writer = await asyncio.open_unix_connection(path)
        open_.extend([writer, engine_writer])
        await asyncio.gather(_pump(reader, engine_writer), _pump(engine_reader, writer))

    return await asyncio.start_server(forward, "127.0.0.1", 0, ssl=context)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _close(writers: list[asyncio.StreamWriter]) -> None:
    for writer in writers:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def make_certificates(folder: Path) -> None:
    """Make an authority, and certificates of a server at 127.0.0.1 and of a client, named as Docker names them."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ["-newkey", "rsa:2048", "-nodes"]
    openssl(
        "req", "-x509", *new, "-days", "2", "-subj", "/CN=test authority", "-keyout", "ca-key.pem", "-out", "ca.pem"
    )
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    for name, cert, key in (("server", "server.pem", "server-key.pem"), ("client", "cert.pem", "key.pem")):
        openssl("req", *new, "-subj", f"/CN={name}", "-keyout", key, "-out", f"{name}.csr")
        sign = ["x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial"]
        openssl(*sign, "-days", "2", "-extfile", "names", "-out", cert)
