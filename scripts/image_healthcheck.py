"""The health check of the server image: exit with 0 if the container's server answers `/healthz`.

A container without an HTTP server (stdio, `worker`) is healthy while its process runs.
"""

from __future__ import annotations

import os
import sys
import urllib.request
from itertools import pairwise
from pathlib import Path

COMMAND = Path("/proc/1/cmdline")


def health_url(command: list[str], variables: dict[str, str]) -> str | None:
    """Return the health URL of the HTTP server that the command starts; None if it starts no HTTP server."""
    options = dict(pairwise(command))
    assignments = (word.partition("=") for word in command if word.startswith("--") and "=" in word)
    options.update({name: value for name, _, value in assignments})
    if "serve" not in command or options.get("--transport", "stdio") == "stdio":
        return None
    port = options.get("--port") or variables.get("CONTAINER_KIT_PORT") or "8000"
    host = options.get("--host") or variables.get("CONTAINER_KIT_HOST") or "127.0.0.1"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - an address to replace
    return f"http://[{host}]:{port}/healthz" if ":" in host else f"http://{host}:{port}/healthz"


def main() -> int:
    """Return 0 if the server answers or if there is no HTTP server."""
    url = health_url(COMMAND.read_bytes().decode().rstrip("\0").split("\0"), dict(os.environ))
    if url is None:
        return 0
    try:
        with urllib.request.urlopen(url, timeout=4) as response:  # noqa: S310 - the container's server
            return int(response.status != 200)
    except OSError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
