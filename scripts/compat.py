"""Runs tests against another engine than the machine's: a newer Docker Engine, or Podman's socket.

    python scripts/compat.py docker|podman [pytest arguments]

The programs come from Debian's unstable distribution (Docker Engine, containerd, buildx; they are unpacked below
`.setup`, not installed) or are the machine's (Podman: `apt-get install podman netavark aardvark-dns`). The engine gets
separate mount, network and process namespaces, which end with this program; the machine's engine is not touched but
to copy base images from it. Needs root, slirp4netns, and for Docker Engine a network that reaches Debian's packages.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import requests
from docker import APIClient
from docker.errors import DockerException, ImageNotFound

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.engine.private_engine import PrivateEngine  # noqa: E402 - it is found by the line above

BASES = ("debian:bookworm-slim", "python:3.11-slim", "node:20-slim", "eclipse-temurin:17-jdk")
PACKAGES = ("docker.io", "containerd", "tini-static", "docker-cli", "docker-buildx")
UNPACKED = ROOT / ".setup" / "docker-newest"
TESTS = {
    "docker": tuple(f"tests/stages/{stage}" for stage in ("build", "push", "scan", "deploy", "verify")),
    "podman": ("tests/stages/build/test_stage.py", "tests/stages/push"),
}
BEYOND = {
    "docker": ("frontend_too_old",),  # a newer engine's builder knows it all
    # no sessions, hence no secrets; it finishes a cancelled RUN, counts no layers, and knows no identity tokens
    "podman": ("secrets", "cancelled_build", "session", "second_push", "identity_token"),
}
"""Words of the tests that an engine cannot pass, or has no need to."""
_APT = """Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "{folder}/lists";
Dir::Cache "{folder}/cache";
Acquire::Languages "none";
"""


def unpack_docker() -> Path:
    """Fetch and unpack the newest Docker Engine that Debian has; the folder that holds its `usr`."""
    if (UNPACKED / "usr/sbin/dockerd").exists():
        return UNPACKED
    folder = ROOT / ".setup" / "apt"
    for name in ("lists/partial", "cache/archives/partial", "packages"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (folder / "sources.list").write_text(f"deb [signed-by={keys}] http://deb.debian.org/debian sid main\n")
    (folder / "apt.conf").write_text(_APT.format(folder=folder))
    apt = {**os.environ, "APT_CONFIG": str(folder / "apt.conf")}
    subprocess.run(["apt-get", "-q", "update"], env=apt, check=True)
    subprocess.run(["apt-get", "-q", "download", *PACKAGES], env=apt, cwd=folder / "packages", check=True)
    for package in (folder / "packages").glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(UNPACKED)], check=True)
    shutil.rmtree(folder)
    return UNPACKED


class NewestDocker(PrivateEngine):
    """The unpacked Docker Engine."""

    def __init__(self) -> None:
        super().__init__(outbound=True)
        programs = unpack_docker() / "usr"
        os.environ["PATH"] = f"{programs}/sbin:{programs}/bin:{os.environ['PATH']}"
        os.environ["DOCKER_CLI_PLUGIN_EXTRA_DIRS"] = f"{programs}/libexec/docker/cli-plugins"


class Podman(PrivateEngine):
    """Podman's service, which speaks Docker's protocol."""

    def __init__(self) -> None:
        super().__init__(outbound=True)
        configuration = self.home / "containers.conf"
        configuration.write_text('[network]\nnetwork_backend = "netavark"\n[engine]\nevents_logger = "file"\n')
        os.environ["CONTAINERS_CONF"] = str(configuration)
        registries = self.home / "registries.conf"  # Docker Engine takes plain HTTP on loopback as it is
        registries.write_text(
            'unqualified-search-registries = ["docker.io"]\n[[registry]]\nlocation = "127.0.0.1"\ninsecure = true\n'
        )
        os.environ["CONTAINERS_REGISTRIES_CONF"] = str(registries)

    def _command(self) -> list[str]:
        podman = ["podman", f"--root={self.home}/data", f"--runroot={self.home}/run", "--cgroup-manager=cgroupfs"]
        service = ["system", "service", "--time=0", self.host]
        return ["nsenter", f"--target={self._init}", "--mount", "--net", "--pid", *podman, *service]

    def _answers(self) -> bool:
        with (
            contextlib.suppress(DockerException, requests.RequestException, OSError),
            contextlib.closing(APIClient(base_url=self.host, version="1.41", timeout=5)) as probe,
        ):
            return bool(probe.ping())
        return False


@contextlib.contextmanager
def running(kind: str) -> Iterator[PrivateEngine]:
    """The engine, up, with the base images that the machine's engine has."""
    engine = NewestDocker() if kind == "docker" else Podman()
    try:
        engine.open()
        engine.start(within=90)
        with contextlib.closing(APIClient(timeout=300)) as machine:
            for base in BASES:
                with contextlib.suppress(ImageNotFound):
                    engine.load(base, machine)
        print(engine.api.version()["Components"][0], flush=True)
        yield engine
    finally:
        engine.remove()


def main() -> int:
    """Run the tests; pytest's exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("docker", "podman"))
    chosen, options = parser.parse_known_args()  # pytest's; without a test among them, those that the engine is held to
    named = any((ROOT / option.partition("::")[0]).exists() for option in options if not option.startswith("-"))
    tests = () if named else TESTS[chosen.kind]
    with running(chosen.kind) as engine:
        pytest = [sys.executable, "-m", "pytest", *options, *tests]
        pytest += ["-k", " and ".join(f"not {word}" for word in BEYOND[chosen.kind])]
        environment = {**os.environ, "DOCKER_HOST": engine.host, "CI": "true"}
        began = time.monotonic()
        command = ["nsenter", f"--target={engine._init}", "--net", "--", *pytest]
        code = subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode
        print(f"{chosen.kind}: pytest ended with {code} after {time.monotonic() - began:.0f} s")
        return code


if __name__ == "__main__":
    raise SystemExit(main())
