"""The API of OSV: which advisories affect the packages of an image or a folder, and the advisories themselves.

It sends the names, versions and ecosystems of packages, and nothing else. Advisories are kept in a folder, so that each
is downloaded again only after a change.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from container_kit.stages.contract import expressions as re
from container_kit.stages.scan.builtin.osv import Advisory

if TYPE_CHECKING:
    import requests

_BATCH = 1000
"""The maximum number of queries in a batch (OSV API)."""
_MAX_BYTES = 32 * 2**20
"""The maximum size of a response of OSV over HTTP/1.1."""
_MAX_PAGES = 50
_THREADS = 16
_TIMEOUT = (5.0, 30.0)
_PROBE_TIMEOUT = 5.0
_KEPT_SECONDS = 30 * 24 * 3600
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,127}")
_LTS = re.compile(r"Ubuntu:\d*[02468]\.04")


class OsvApiError(Exception):
    """OSV could not be queried; the text names the reason."""


class _Hit(BaseModel):
    id: str
    modified: str = ""


class _Result(BaseModel):
    vulns: list[_Hit] = []
    next_page_token: str | None = None


class _Batch(BaseModel):
    results: list[_Result] = []


@dataclass(frozen=True, slots=True, order=True)
class Query:
    """One version of a package, by its names in OSV."""

    ecosystem: str
    name: str
    version: str

    def to_json(self, page_token: str | None = None) -> dict[str, Any]:
        """Return the query as OSV expects it."""
        ecosystem = f"{self.ecosystem}:LTS" if _LTS.fullmatch(self.ecosystem) else self.ecosystem
        version = self.version.removeprefix("v") if self.ecosystem == "Go" else self.version
        query: dict[str, Any] = {"package": {"ecosystem": ecosystem, "name": self.name}, "version": version}
        return query | ({"page_token": page_token} if page_token else {})


@dataclass(slots=True)
class Hits:
    """The advisories that affect each queried version."""

    ids: dict[Query, list[str]] = field(default_factory=dict)
    advisories: dict[str, Advisory] = field(default_factory=dict)
    """The advisories by id, without withdrawn and unreadable ones."""
    withdrawn: set[str] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)
    """The reason why an advisory could not be read, by id."""


@dataclass(frozen=True, slots=True)
class OsvApi:
    """A client of one server that implements the API of OSV.

    Args:
        url: The address, such as `https://api.osv.dev`.
        cache: The folder for advisories.
        timeout: Seconds for one search.
    """

    url: str
    cache: Path
    timeout: float = 300.0

    def find_problem(self) -> str | None:
        """Return the reason why the server cannot be reached; None if it responds. Blocking."""
        import requests

        try:
            with requests.get(self.url, timeout=_PROBE_TIMEOUT, stream=True):
                return None
        except requests.RequestException as error:
            return _reason(error)

    def search(self, queries: Iterable[Query]) -> Hits:
        """Find the advisories for these versions of packages. Blocking.

        Raises:
            OsvApiError: The server cannot be queried.
        """
        deadline = time.monotonic() + self.timeout
        with _session() as session:
            found = self._query_all(session, sorted(set(queries)), deadline)
            hits = Hits(ids={query: [hit.id for hit in results] for query, results in found.items()})
            wanted = {hit.id: hit.modified for results in found.values() for hit in results}
            self._read_all(session, hits, wanted, deadline)
        return hits

    def _query_all(
        self, session: requests.Session, queries: Sequence[Query], deadline: float
    ) -> defaultdict[Query, list[_Hit]]:
        found: defaultdict[Query, list[_Hit]] = defaultdict(list)
        pending: list[tuple[Query, str | None]] = [(query, None) for query in queries]
        for _ in range(_MAX_PAGES + len(queries) // _BATCH):
            if not pending:
                return found
            batch, pending = pending[:_BATCH], pending[_BATCH:]
            for (query, _), result in zip(batch, self._query(session, batch, deadline), strict=True):
                found[query] += result.vulns
                pending += [(query, result.next_page_token)] if result.next_page_token else []
        raise OsvApiError("it returns more pages than expected")

    def _query(
        self, session: requests.Session, batch: Sequence[tuple[Query, str | None]], deadline: float
    ) -> list[_Result]:
        body = {"queries": [query.to_json(page_token) for query, page_token in batch]}
        content = self._request(session, "POST", "/v1/querybatch", deadline, body)
        try:
            results = _Batch.model_validate_json(content).results
        except ValidationError as error:
            raise OsvApiError("its response is not valid") from error
        if len(results) != len(batch):
            raise OsvApiError(f"it answered {len(results)} of {len(batch)} queries")
        return results

    def _read_all(self, session: requests.Session, hits: Hits, wanted: dict[str, str], deadline: float) -> None:
        def read(id: str) -> Advisory | str:  # noqa: A002 - the name in OSV
            try:
                return self._advisory(session, id, wanted[id], deadline)
            except (OsvApiError, ValueError) as error:
                return str(error) if isinstance(error, OsvApiError) else "the advisory is not valid"

        with ThreadPoolExecutor(_THREADS) as threads:
            for id, advisory in zip(wanted, threads.map(read, wanted), strict=True):  # noqa: A001 - as above
                if isinstance(advisory, str):
                    hits.unreadable[id] = advisory
                elif advisory.withdrawn:
                    hits.withdrawn.add(id)
                else:
                    hits.advisories[id] = advisory
        self._remove_old_files()

    def _advisory(self, session: requests.Session, id: str, modified: str, deadline: float) -> Advisory:  # noqa: A002 - as above
        if not _ID.fullmatch(id):
            raise OsvApiError("its id is not valid")
        file = self.cache / f"{id.replace(':', '_')}.json"
        kept = _read_file(file)
        if kept is not None and modified and kept.id == id and kept.modified == modified:
            with contextlib.suppress(OSError):
                os.utime(file)
            return kept
        content = self._request(session, "GET", f"/v1/vulns/{quote(id, safe='')}", deadline)
        advisory = Advisory.model_validate_json(content)
        _write_file(file, content)
        return advisory

    def _request(self, session: requests.Session, method: str, path: str, deadline: float, body: Any = None) -> bytes:
        import requests

        if time.monotonic() > deadline:
            raise OsvApiError(f"it did not finish within {self.timeout:g} s")
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json"} if data else {}
        try:
            with session.request(
                method, self.url.rstrip("/") + path, data=data, headers=headers, timeout=_TIMEOUT, stream=True
            ) as response:
                if response.status_code != requests.codes.ok:
                    raise OsvApiError(f"it answered with status {response.status_code}")
                return _read_body(response)
        except requests.RequestException as error:
            raise OsvApiError(_reason(error)) from error

    def _remove_old_files(self) -> None:
        """Remove advisories that no search has used for a month."""
        oldest = time.time() - _KEPT_SECONDS
        with contextlib.suppress(OSError):
            for file in self.cache.iterdir():
                if file.stat().st_mtime < oldest:
                    file.unlink()


def _session() -> requests.Session:
    """Return a session that repeats requests which an overloaded server rejects."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    retry = Retry(
        total=3,
        backoff_factor=0.5,
        status_forcelist=(429, 502, 503, 504),
        allowed_methods=None,
        raise_on_status=False,
        backoff_max=10,
    )
    session = requests.Session()
    adapter = HTTPAdapter(pool_maxsize=_THREADS, max_retries=retry)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _read_body(response: requests.Response) -> bytes:
    content = bytearray()
    for chunk in response.iter_content(2**16):
        content += chunk
        if len(content) > _MAX_BYTES:
            raise OsvApiError(f"its response is larger than {_MAX_BYTES >> 20} MiB")
    return bytes(content)


def _reason(error: requests.RequestException) -> str:
    """Return the reason of a failed request without the internals of the HTTP library."""
    import requests

    if isinstance(error, requests.Timeout):
        return "it does not respond in time"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy refuses the connection"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    text = str(error)
    if "NameResolution" in text or "resolve" in text:
        return "its name cannot be resolved"
    return "the connection failed" if isinstance(error, requests.ConnectionError) else "the address is not valid"


def _read_file(file: Path) -> Advisory | None:
    try:
        return Advisory.model_validate_json(file.read_bytes())
    except (OSError, ValueError):
        return None


def _write_file(file: Path, content: bytes) -> None:
    """Keep an advisory. A full disk only costs the next search a download."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, temporary = tempfile.mkstemp(dir=file.parent)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
            Path(temporary).replace(file)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
