"""A real ssh server of a test's own, and an `ssh` that knows its keys."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from support.skip_policy import cannot_run


@contextlib.contextmanager
def ssh_server(folder: Path, engine: str) -> Iterator[tuple[int, str]]:
    """Run sshd on a free port of 127.0.0.1, for root.

    Args:
        folder: An empty folder of the test.
        engine: The DOCKER_HOST of the far end.

    Yields:
        The port, and a PATH with an `ssh` that accepts the server.
    """
    sshd, client = shutil.which("sshd") or "/usr/sbin/sshd", shutil.which("ssh")
    if not Path(sshd).exists() or client is None or shutil.which("docker") is None:
        cannot_run("sshd, ssh or the docker command is missing: apt-get install openssh-server docker.io")
    home = folder / "ssh"
    home.mkdir(mode=0o700)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / name)], check=True)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    (home / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {home}/host\nAuthorizedKeysFile {home}/user.pub\nStrictModes no\n"
        f"UsePAM no\nPidFile none\nPermitRootLogin prohibit-password\nSetEnv DOCKER_HOST={engine}\n"
    )
    public = (home / "host.pub").read_text()
    (home / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    (home / "config").write_text(
        f"IdentityFile {home}/user\nIdentitiesOnly yes\nUserKnownHostsFile {home}/known_hosts\n"
    )
    (home / "bin").mkdir()
    (home / "bin/ssh").write_text(f'#!/bin/sh\nexec {client} -F {home}/config "$@"\n')
    (home / "bin/ssh").chmod(0o755)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    process = subprocess.Popen(
        [sshd, "-D", "-e", "-f", str(home / "sshd_config")], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    try:
        _wait_until_listening(process, port)
        yield port, f"{home}/bin:{os.environ['PATH']}"
    finally:
        process.terminate()
        process.wait(10)
        assert process.stderr is not None
        process.stderr.close()


def _wait_until_listening(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError("sshd did not start")
