"""The address of the Docker Engine, found as the docker command finds it, and plain connections to it."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shlex
import socket
import ssl
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from container_kit.stages.docker.local_address import LOCAL_SCHEMES, dial_local, find_local_host, start_connected

_TCP_PORT, _TLS_PORT = 2375, 2376
_EXIT_TIMEOUT = 2.0


class EndpointError(ValueError):
    """An address, a context or TLS files that cannot be used; the text names the problem."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The PEM files of a TLS connection. `ca` None means the system's CAs; `verify` False disables the check."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    verify: bool = True

    def context(self) -> ssl.SSLContext:
        """Create the context for the client side of TLS.

        Raises:
            EndpointError: A file is missing or not valid.
        """
        try:
            context = ssl.create_default_context(cafile=str(self.ca) if self.ca else None)
            if self.cert is not None:
                context.load_cert_chain(str(self.cert), str(self.key) if self.key else None)
        except (OSError, ssl.SSLError) as error:
            raise EndpointError(f"the TLS files of the engine cannot be used: {error}") from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


@dataclass(slots=True)
class Connection:
    """One open connection to the engine: a socket, and the ssh process behind it for `ssh://`."""

    sock: socket.socket
    process: subprocess.Popen[bytes] | None = None

    def abort(self) -> None:
        """Break the connection from any thread. Threads that read or write it wake up."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Break the connection and end the ssh process."""
        self.abort()
        self.sock.close()
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(_EXIT_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An engine's address: `unix://PATH`, `npipe://PATH`, `ssh://[USER@]HOST` or `tcp://HOST:PORT`, also with TLS."""

    host: str
    tls: TlsFiles | None = None

    def dial(self, timeout: float | None) -> Connection:
        """Open a connection, still without TLS.

        Raises:
            OSError: Nothing listens at the address.
            EndpointError: The scheme of the address is unknown.
        """
        url = urlsplit(self.host)
        if url.scheme in LOCAL_SCHEMES:
            return Connection(dial_local(url.scheme, url.netloc + url.path, timeout))
        if url.scheme in {"tcp", "http", "https"} and url.hostname:
            return Connection(_dial_tcp(url.hostname, url.port or (_TLS_PORT if self.tls else _TCP_PORT), timeout))
        if url.scheme == "ssh" and url.hostname:
            return _dial_ssh(self.host, timeout)
        schemes = ", ".join(f"{scheme}://" for scheme in (*LOCAL_SCHEMES, "tcp", "ssh"))
        raise EndpointError(f"{self.host!r} is not the address of an engine ({schemes})")

    @property
    def is_local(self) -> bool:
        """Whether the address is a socket or pipe of this machine. The engine may still run in a virtual machine."""
        return urlsplit(self.host).scheme in LOCAL_SCHEMES

    def forward_command(self, port: int) -> str | None:
        """Return the command that forwards a port of a remote engine's 127.0.0.1 to this machine; None for a local one.

        The address of an engine behind `tcp://127.0.0.1` is that of a forwarded socket; its ports are unknown.
        """
        url = urlsplit(self.host)
        if self.is_local or not url.hostname or url.hostname == "localhost" or url.hostname.startswith("127."):
            return None
        destination = f"{url.username}@{url.hostname}" if url.username else url.hostname
        ssh_port = ["-p", str(url.port)] if url.scheme == "ssh" and url.port else []
        return shlex.join(["ssh", "-N", "-L", f"{port}:127.0.0.1:{port}", *ssh_port, destination])

    @property
    def server_name(self) -> str | None:
        """The name that the engine's certificate must have; None without TLS."""
        return urlsplit(self.host).hostname if self.tls else None

    def secure(self, connection: Connection) -> Connection:
        """Start TLS on a new connection if the endpoint has TLS files. It blocks for the handshake."""
        if self.tls is None:
            return connection
        try:
            return Connection(
                self.tls.context().wrap_socket(connection.sock, server_hostname=self.server_name), connection.process
            )
        except BaseException:
            connection.close()
            raise


class EngineConnection(http.client.HTTPConnection):
    """One HTTP connection to the engine, which another thread may abort.

    Args:
        endpoint: The engine's address.
        timeout: Seconds for each read and write; None waits for as long as the connection lives.
        connect_timeout: Seconds to connect.
    """

    def __init__(self, endpoint: Endpoint, timeout: float | None = None, connect_timeout: float = 5) -> None:
        super().__init__("docker", timeout=timeout)
        self._endpoint = endpoint
        self._connect_timeout = connect_timeout
        self._connection: Connection | None = None

    def connect(self) -> None:
        """Connect now; otherwise the first request connects."""
        self._connection = self._endpoint.secure(self._endpoint.dial(self._connect_timeout))
        self._connection.sock.settimeout(self.timeout)
        self.sock = self._connection.sock

    def abort(self) -> None:
        """Break the connection from any thread."""
        if self._connection is not None:
            self._connection.abort()

    def close(self) -> None:
        """Close the connection and end the ssh process behind it."""
        super().close()
        if self._connection is not None:
            self._connection.close()


def _dial_tcp(host: str, port: int, timeout: float | None) -> socket.socket:
    sock = socket.create_connection((host, port), timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return sock


def _dial_ssh(host: str, timeout: float | None) -> Connection:
    """Connect to a remote engine through the user's ssh, as the docker command does."""
    url = urlsplit(host)
    command = ["ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={int(timeout or 30)}", "-T"]
    command += ["-l", url.username] if url.username else []
    command += ["-p", str(url.port)] if url.port else []
    remote = ["docker", *(["--host", f"unix://{url.path}"] if url.path.strip("/") else []), "system", "dial-stdio"]
    command += ["--", str(url.hostname), shlex.join(remote)]
    return Connection(*start_connected(command, timeout))


def find_endpoint(host: str | None = None) -> Endpoint:
    """Find the engine as the docker command does.

    The order of precedence: `host`, DOCKER_HOST (with DOCKER_TLS_VERIFY, DOCKER_CERT_PATH), DOCKER_CONTEXT, the current
    context of Docker's configuration, the system's socket, a rootless engine's, Docker Desktop's, Podman's.

    Raises:
        EndpointError: The context does not exist, or its files cannot be read.
    """
    host = host or os.environ.get("DOCKER_HOST")
    if host:
        return Endpoint(_with_scheme(host), _tls_from_environment() if host.startswith(("tcp", "http")) else None)
    context = os.environ.get("DOCKER_CONTEXT") or _configuration().get("currentContext")
    if context and context != "default":
        return _from_context(str(context))
    return Endpoint(find_local_host())


def docker_configuration_folder() -> Path:
    """Return the folder of the docker command's configuration: DOCKER_CONFIG, else `~/.docker`."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def _configuration() -> dict[str, Any]:
    path = docker_configuration_folder() / "config.json"
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise EndpointError(f"{path} cannot be read: {error}") from error
    return loaded if isinstance(loaded, dict) else {}


def _from_context(name: str) -> Endpoint:
    """Read a context from Docker's configuration. The SDK looks elsewhere if the folder has no config.json."""
    folder = docker_configuration_folder() / "contexts"
    identity = hashlib.sha256(name.encode()).hexdigest()
    try:
        meta = json.loads((folder / "meta" / identity / "meta.json").read_text(encoding="utf-8"))
        endpoint = meta["Endpoints"]["docker"]
        host, verify = _with_scheme(str(endpoint["Host"])), not endpoint.get("SkipTLSVerify")
    except FileNotFoundError:
        raise EndpointError(f"the docker context {name!r} does not exist") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EndpointError(f"the docker context {name!r} cannot be read: {error!r}") from error
    files = {file: folder / "tls" / identity / "docker" / f"{file}.pem" for file in ("ca", "cert", "key")}
    ca, cert, key = (path if path.exists() else None for path in files.values())
    is_tls = host.startswith(("tcp:", "http")) and (ca or cert or not verify)
    return Endpoint(host, TlsFiles(ca, cert, key, verify=verify) if is_tls else None)


def _tls_from_environment() -> TlsFiles | None:
    verify = bool(os.environ.get("DOCKER_TLS_VERIFY"))
    folder = os.environ.get("DOCKER_CERT_PATH")
    if not verify and not folder:
        return None
    files = {name: Path(folder or docker_configuration_folder()) / f"{name}.pem" for name in ("ca", "cert", "key")}
    existing = {name: path if path.exists() else None for name, path in files.items()}
    return TlsFiles(existing["ca"], existing["cert"], existing["key"], verify=verify)


def _with_scheme(host: str) -> str:
    """Return an address with its scheme, and without credentials: no engine takes them, and faults show the address."""
    if host.startswith("/"):
        return f"unix://{host}"
    scheme, separator, rest = host.partition("://")
    if not separator:
        scheme, rest = "tcp", host
    if scheme == "unix":
        return host
    credentials, _, address = rest.rpartition("@")
    user = credentials.partition(":")[0] if scheme == "ssh" else ""
    return f"{scheme}://{f'{user}@' if user else ''}{address.partition('?')[0]}"
