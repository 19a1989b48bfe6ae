"""The health check: one request by a program that the image contains anyway."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.generation.base_images import Probe


def health_command(probe: Probe, port: int, path: str | None) -> tuple[str, ...]:
    """Return the arguments of `HEALTHCHECK CMD`, in exec form.

    A health endpoint must respond with a status below 400. Without one, a status below 500 at `/` is healthy.

    Args:
        probe: The program.
        port: The TCP port on the loopback address.
        path: The path of a health endpoint, or None.
    """
    limit = 400 if path else 500
    where = path or "/"
    match probe:
        case "python":
            return ("python", "-c", _PYTHON.format(port=port, path=where, limit=limit))
        case "node" | "bun":
            return (probe, "-e", _FETCH.format(port=port, path=where, limit=limit))
        case "deno":
            return ("deno", "eval", _DENO.format(port=port, path=where, limit=limit))
        case "wget":
            digits = f"[1-{limit // 100 - 1}]"
            return (
                "sh",
                "-c",
                f"wget -T 4 -qSO /dev/null http://127.0.0.1:{port}{where} 2>&1 | grep -q ' HTTP/[^ ]* {digits}'",
            )
        case "bash":
            return ("bash", "-c", _BASH.format(port=port, path=where, digits=f"[1-{limit // 100 - 1}]"))


_PYTHON = (
    "from http.client import HTTPConnection as C; c = C('127.0.0.1', {port}, timeout=4); "
    "c.request('GET', '{path}'); raise SystemExit(c.getresponse().status >= {limit})"
)
_FETCH = (
    "fetch('http://127.0.0.1:{port}{path}', {{redirect: 'manual'}})"
    ".then((r) => process.exit(r.status < {limit} ? 0 : 1), () => process.exit(1))"
)
_DENO = (
    "fetch('http://127.0.0.1:{port}{path}', {{redirect: 'manual'}})"
    ".then((r) => Deno.exit(r.status < {limit} ? 0 : 1), () => Deno.exit(1))"
)
# dd sends the request in one write. bash writes line by line, and a server may respond to the first line and close.
_BASH = (
    "exec 3<>/dev/tcp/127.0.0.1/{port} "
    "&& printf 'GET {path} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' "
    "| dd obs=1k status=none >&3 && read -t 4 -r _ status _ <&3 && [[ $status == {digits}?? ]]"
)
