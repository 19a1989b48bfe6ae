"""A local server that speaks the protocol of OSV (https://google.github.io/osv.dev/api/) with recorded advisories."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from univers.versions import DebianVersion, PypiVersion, SemverVersion

RECORDS = Path(__file__).parents[2] / "stages" / "scan" / "builtin" / "advisories"
"""Public advisories, without some of their references: of GitHub (CC-BY 4.0) and Debian."""
_SCHEMES: dict[str, Any] = {"PyPI": PypiVersion, "npm": SemverVersion, "Debian": DebianVersion}


class OsvServer:
    """The state of a server: its advisories, the requests that it got, and its faults."""

    def __init__(self) -> None:
        records = (json.loads(file.read_text()) for file in sorted(RECORDS.glob("*.json")))
        self.records: dict[str, Any] = {record["id"]: record for record in records}
        self.url = ""
        self.queries: list[dict[str, Any]] = []
        """All queries of all batches."""
        self.read: list[str] = []
        """The ids of the advisories that were read."""
        self.page_size = 100
        """The number of advisories in a page."""
        self.refusals = 0
        """The number of requests to refuse with 503 from now on."""
        self.broken: set[str] = set()
        """The ids of advisories that cannot be read."""

    def answer_batch(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer POST /v1/querybatch; there may be at most 1000 queries."""
        self.queries += body["queries"]
        assert len(body["queries"]) <= 1000
        return {"results": [self._page(query) for query in body["queries"]]}

    def _page(self, query: dict[str, Any]) -> dict[str, Any]:
        name, ecosystem = query["package"]["name"], query["package"]["ecosystem"]
        hits = [
            {"id": record["id"], "modified": record["modified"]}
            for record in self.records.values()
            if any(
                part["package"] | {"purl": ""} == {"name": name, "ecosystem": ecosystem, "purl": ""}
                and _is_affected(part, ecosystem, query["version"])
                for part in record["affected"]
            )
        ]
        first = int(query.get("page_token") or 0)
        page: dict[str, Any] = {"vulns": hits[first : first + self.page_size]} if hits else {}
        if first + self.page_size < len(hits):
            page["next_page_token"] = str(first + self.page_size)
        return page


def _is_affected(part: dict[str, Any], ecosystem: str, version: str) -> bool:
    scheme = _SCHEMES[ecosystem.partition(":")[0]]
    for section in part.get("ranges", ()):
        bounds = {kind: value for event in section["events"] for kind, value in event.items()}
        start, end = bounds.get("introduced", "0"), bounds.get("fixed")
        if (start == "0" or scheme(version) >= scheme(start)) and (end is None or scheme(version) < scheme(end)):
            return True
    return version in part.get("versions", ())


@contextmanager
def osv_server() -> Iterator[OsvServer]:
    """Run a server on a free port of loopback."""
    state = OsvServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            id = self.path.removeprefix("/v1/vulns/")  # noqa: A001 - the name in OSV
            if self.path.startswith("/v1/vulns/"):
                state.read.append(id)
            known = id in state.records and id not in state.broken
            self._send(200 if known else 404, state.records[id] if known else {"code": 5, "message": "Bug not found."})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if state.refusals:
                state.refusals -= 1
                self._send(503, {})
            elif self.path == "/v1/querybatch":
                self._send(200, state.answer_batch(body))
            else:
                self._send(404, {})

        def _send(self, status: int, body: Any) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join(10)
