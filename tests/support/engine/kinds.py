"""Engines of other kinds: Podman, rootless Podman and rootless Docker, each in mount and network namespaces of its own.

The namespaces' first process holds everything: with it end the engine, its containers and its mounts. The rootless
ones run as `nobody`, whose subordinate ids exist only in the namespace.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import requests
from docker import APIClient
from docker.errors import DockerException

from support.skip_policy import cannot_run

Kind = Literal["podman", "rootless-podman", "rootless-docker"]
Part = Literal["init", "tun"]
_NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
_USER, _SUBORDINATE_IDS = "nobody", "200000:65536"
_NEEDED = {
    "podman": ("podman", "catatonit"),
    "rootless-podman": ("podman", "catatonit", "newuidmap", "slirp4netns"),
    "rootless-docker": ("rootlesskit", "newuidmap", "slirp4netns", "dockerd"),
}
_CONFIGURATION = """[network]
network_backend = "netavark"
[engine]
helper_binaries_dir = ["/usr/lib/podman", "/usr/libexec/podman"]
"""
_NO_INIT = 'init_path = "/nonexistent"\n'
_START_SECONDS = 45.0
# A path of the socket has at most 108 bytes, hence /tmp.
_PREPARE = """set -e
ip link set lo up
mount --make-rshared /
mount -t tmpfs tmpfs /run
printf '%s' "$SUBORDINATE" >"$0/ids"; mount --bind "$0/ids" /etc/subuid; mount --bind "$0/ids" /etc/subgid
"""
# On many machines, only root may open /dev/net/tun.
_SHARE_TUN = """mknod "$0/tun" c 10 200; chmod 666 "$0/tun"
[ -e /dev/net/tun ] && mount --bind "$0/tun" /dev/net/tun
"""
_AS_USER = f"exec setpriv --reuid={_USER} --regid=nogroup --clear-groups"
_PODMAN = 'podman --cgroup-manager=cgroupfs --root="$0/data" --runroot="$0/run/root" system service --time=0 "unix://$0/engine.sock"'
_DOCKER = (
    'sh /usr/share/docker.io/contrib/dockerd-rootless.sh "--host=unix://$0/engine.sock" "--data-root=$0/data" '
    '"--exec-root=$0/run/exec" "--pidfile=$0/run/docker.pid"'
)
_COMMANDS = {
    "podman": f"exec {_PODMAN}",
    "rootless-podman": f"{_AS_USER} {_PODMAN}",
    "rootless-docker": f"{_AS_USER} {_DOCKER}",
}


class EngineOfKind:
    """One engine; `host` is its DOCKER_HOST, and `api` a low-level client.

    Args:
        kind: What it is.
        without: A part that it does not have: its init program, or the device for a network without root.
    """

    def __init__(self, kind: Kind, without: Part | None = None) -> None:
        for program in ("unshare", "nsenter", "setpriv", *_NEEDED[kind]):
            if shutil.which(program) is None:
                cannot_run(f"{program} is missing, which {kind} needs")
        self.home = Path(tempfile.mkdtemp(prefix="ck-kind-", dir="/tmp"))
        self.host = f"unix://{self.home}/engine.sock"
        self._log = self.home / "log"
        self._process = self._start(kind, without)
        self._clients: list[APIClient] = []
        self._wait()

    def _start(self, kind: Kind, without: Part | None) -> subprocess.Popen[bytes]:
        (self.home / "run").mkdir(mode=0o700)
        (self.home / "containers.conf").write_text(_CONFIGURATION + (_NO_INIT if without == "init" else ""))
        if kind != "podman":
            for folder in (self.home, self.home / "run"):
                shutil.chown(folder, _USER)
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.home / "run"),
            "CONTAINERS_CONF": str(self.home / "containers.conf"),
            "SUBORDINATE": f"{_USER}:{_SUBORDINATE_IDS}\n",
            "HTTPS_PROXY": "http://127.0.0.1:9",  # no public registry, the same everywhere
        }
        script = ["sh", "-c", _PREPARE + ("" if without == "tun" else _SHARE_TUN) + _COMMANDS[kind], str(self.home)]
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [*_NAMESPACES, *script], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _wait(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(DockerException, requests.RequestException, OSError):
                probe = APIClient(base_url=self.host, version="1.41", timeout=5)
                try:
                    probe.ping()
                    return
                finally:
                    probe.close()
            time.sleep(0.1)
        text = self._log.read_text(errors="replace")[-2000:]
        self.remove()
        raise AssertionError(f"the engine did not come up:\n{text}")

    @property
    def api(self) -> APIClient:
        """A new low-level client; closed with the engine."""
        client = APIClient(base_url=self.host, version="auto", timeout=120)
        self._clients.append(client)
        return client

    def run(self, *command: str) -> str:
        """Run a program in the engine's network, where its published ports are; return what it prints."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        inside = ("nsenter", f"--target={children.split()[0]}", "--net")
        return subprocess.run([*inside, *command], stdout=subprocess.PIPE, text=True, check=True, timeout=30).stdout

    def remove(self) -> None:
        """End the engine with everything that it started, and delete its files."""
        for client in self._clients:
            client.close()
        self._process.kill()
        self._process.wait(20)
        for _ in range(100):
            shutil.rmtree(self.home, ignore_errors=True)
            if not self.home.exists():
                return
            time.sleep(0.1)
        raise AssertionError(f"{self.home} cannot be removed")


@contextlib.contextmanager
def engine_of_kind(kind: Kind, without: Part | None = None) -> Iterator[EngineOfKind]:
    """Start an engine for the block."""
    if os.geteuid() != 0:
        cannot_run("namespaces need root")
    engine = EngineOfKind(kind, without)
    try:
        yield engine
    finally:
        engine.remove()
