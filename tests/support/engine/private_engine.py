"""A Docker Engine of a test's own, that it may kill, restart and fill up; the machine's engine never notices.

It lives in mount, network and process namespaces of its own. Ending the namespaces' first process ends everything in
them: dockerd, containerd, containers, mounts and bridges.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import requests
from docker import APIClient
from docker.errors import DockerException

from support.engine.tiny_image import import_tiny_image
from support.skip_policy import cannot_run

_CLONE_NEWNET = 0x40000000
_NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
_NEEDED = ("unshare", "nsenter", "dockerd", "docker-init", "ip", "iptables")


class PrivateEngine:
    """One dockerd. `host` is its DOCKER_HOST; `api` a low-level client.

    It reaches no registry but those on its own 127.0.0.1. The ports that its containers publish are reached inside
    `network()`.

    Args:
        disk_mb: Keep the engine's data on a memory disk of this size; None keeps it in the temporary folder.
        outbound: Let containers and builds reach the outside (it takes the program slirp4netns).
    """

    def __init__(self, disk_mb: int | None = None, *, outbound: bool = False) -> None:
        # A socket's path has at most 108 bytes, hence not pytest's temporary folder.
        self.home = Path(tempfile.mkdtemp(prefix="ck-engine-", dir="/tmp"))
        self.host = f"unix://{self.home}/docker.sock"
        self.log = self.home / "dockerd.log"
        self._cgroup = self.home.name
        self._disk_mb = disk_mb
        self._outbound = outbound
        self._init = 0
        self._namespaces: subprocess.Popen[bytes] | None = None
        self._way_out: subprocess.Popen[bytes] | None = None
        self._daemon: subprocess.Popen[bytes] | None = None
        self._clients: list[APIClient] = []

    def open(self) -> None:
        """Make its namespaces, and the way out of them where it has one."""
        self._namespaces = self._hold_namespaces()
        children = Path(f"/proc/{self._namespaces.pid}/task/{self._namespaces.pid}/children")
        self._init = int(children.read_text().split()[0])
        if self._outbound:
            self._open_way_out()

    def _hold_namespaces(self) -> subprocess.Popen[bytes]:
        """Make the namespaces; they end with our side of the pipe, hence never outlive this process."""
        data = self.home / "data"
        data.mkdir()
        disk = f"mount -t tmpfs -o size={self._disk_mb}m tmpfs {data};" if self._disk_mb else ""
        script = f"set -e; ip link set lo up; {disk} echo ready; exec cat >/dev/null"
        holder = subprocess.Popen(
            [*_NAMESPACES, "docker-init", "--", "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert holder.stdout is not None
        if holder.stdout.readline() != b"ready\n":
            holder.communicate()
            cannot_run("this machine does not allow namespaces of a test's own")
        return holder

    def _open_way_out(self) -> None:
        if shutil.which("slirp4netns") is None or not Path("/dev/net/tun").exists():
            cannot_run("an engine with a way out needs slirp4netns (apt-get install slirp4netns) and /dev/net/tun")
        reading, writing = os.pipe()
        self._way_out = subprocess.Popen(
            ["slirp4netns", "--configure", "--mtu=65520", f"--ready-fd={writing}", str(self._init), "tap0"],
            pass_fds=[writing],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        ready = os.read(reading, 1)
        os.close(reading)
        assert ready == b"1", "slirp4netns ended"

    @property
    def api(self) -> APIClient:
        """A new low-level client; closed with the engine."""
        client = APIClient(base_url=self.host, version="auto", timeout=60)
        self._clients.append(client)
        return client

    def start(self, *, within: float = 45) -> None:
        """Start dockerd and wait until it answers; after a `kill` it first stops the containers that were left.

        A container without an init takes ten seconds to stop.
        """
        with self.log.open("ab") as log:
            self._daemon = subprocess.Popen(
                self._command(),
                # without a way out no public registry, the same everywhere; with one, what the machine itself reaches
                env=os.environ if self._outbound else {**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        _until(self._answers, within, lambda: f"dockerd did not come up:\n{self.log.read_text()[-3000:]}")

    def _command(self) -> list[str]:
        return [
            *("nsenter", f"--target={self._init}", "--mount", "--net", "--pid", "dockerd"),
            *(f"--host={self.host}", f"--data-root={self.home}/data", f"--exec-root={self.home}/exec"),
            *(f"--pidfile={self.home}/docker.pid", f"--cgroup-parent=/{self._cgroup}"),
            "--exec-opt=native.cgroupdriver=cgroupfs",
        ]

    def _answers(self) -> bool:
        assert self._daemon is not None
        if self._daemon.poll() is not None:
            raise AssertionError(f"dockerd ended:\n{self.log.read_text()[-3000:]}")
        with contextlib.suppress(DockerException, requests.RequestException, OSError):
            probe = APIClient(base_url=self.host, version="1.41", timeout=5)
            try:
                return bool(probe.ping())
            finally:
                probe.close()
        return False

    def kill(self) -> None:
        """Kill dockerd as `kill -9` does. Its socket and pid file stay, and so do its containers."""
        assert self._daemon is not None
        pid = (self.home / "docker.pid").read_text()
        subprocess.run(
            ["nsenter", f"--target={self._init}", "--mount", "--pid", "sh", "-c", 'kill -9 "$1"', "sh", pid], check=True
        )
        self._daemon.wait(10)

    def restart(self) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start()

    def load(self, reference: str, source: APIClient) -> None:
        """Copy an image from another engine."""
        for line in self.api.load_image(source.get_image(reference)):
            assert "error" not in line, line

    def import_tiny(self, reference: str, *, labels: Mapping[str, str] | None = None) -> None:
        """Import the tiny busybox image under a name."""
        import_tiny_image(self.api, reference, labels=labels)

    def run(self, *command: str) -> str:
        """Run a program in the engine's namespaces, where its disk and network are; return what it prints."""
        inside = ("nsenter", f"--target={self._init}", "--mount", "--net", "--pid")
        environment = {**os.environ, "DOCKER_HOST": self.host, "CONTAINER_KIT_HOME": str(self.home / "container-kit")}
        return subprocess.run(
            [*inside, *command], env=environment, stdout=subprocess.PIPE, text=True, check=True
        ).stdout

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """Be in the engine's network: published ports answer on 127.0.0.1.

        It holds for this thread and for threads that are started meanwhile, hence use it around the whole test.
        """
        with Path("/proc/thread-self/ns/net").open("rb") as ours, Path(f"/proc/{self._init}/ns/net").open("rb") as its:
            _enter_network(its.fileno())
            try:
                yield
            finally:
                _enter_network(ours.fileno())

    def remove(self) -> None:
        """End everything and delete it."""
        for client in self._clients:
            client.close()
        if self._namespaces is not None:
            self._namespaces.communicate(timeout=20)  # it ends when its input does
        if self._way_out is not None:
            self._way_out.terminate()
            self._way_out.wait(10)
        if self._daemon is not None:
            self._daemon.wait(20)
        _until(self._deleted, 20, lambda: f"{self.home} or the cgroup {self._cgroup} cannot be removed")

    def _deleted(self) -> bool:
        shutil.rmtree(self.home, ignore_errors=True)
        for folder in self._cgroups():
            for group, _, _ in os.walk(folder, topdown=False):
                with contextlib.suppress(OSError):
                    Path(group).rmdir()
        return not self.home.exists() and not self._cgroups()

    def _cgroups(self) -> list[Path]:
        """Where its cgroups are; other engines' come and go during the walk, which `os.walk` does not mind."""
        return [Path(base) / self._cgroup for base, names, _ in os.walk("/sys/fs/cgroup") if self._cgroup in names]


def can_have_private_engines() -> str | None:
    """Say what is missing for an engine of a test's own; None where nothing is."""
    if os.geteuid() != 0:
        return "a Docker Engine of a test's own needs root"
    missing = [program for program in _NEEDED if shutil.which(program) is None]
    return f"a Docker Engine of a test's own needs {', '.join(missing)}" if missing else None


def _enter_network(descriptor: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _until(happened: Callable[[], bool], within: float, otherwise: Callable[[], str]) -> None:
    deadline = time.monotonic() + within
    while not happened():
        if time.monotonic() > deadline:
            raise AssertionError(otherwise())
        time.sleep(0.05)
