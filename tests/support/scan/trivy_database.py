"""Writing a vulnerability database for Trivy that holds nothing but planted findings.

Trivy reads a bbolt file: pages of 4096 bytes, two meta pages, a free list, then leaf pages of sorted keys, where a key
either has a JSON value or is a bucket of its own. Everything here fits leaves, so no branch page is ever needed.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_PAGE = 4096
_MAGIC, _VERSION = 0xED0CDAED, 2
_LEAF, _META, _FREELIST = 0x02, 0x04, 0x10
_IS_BUCKET = 0x01


class Bucket(dict[str, "Bucket | dict[str, Any]"]):
    """A bucket: its keys lead to buckets or to JSON values."""


def write_trivy_database(
    cache: Path,
    *,
    debian: Mapping[str, Mapping[str, str]] | None = None,
    pypi: Mapping[str, Mapping[str, tuple[str, str]]] | None = None,
    npm: Mapping[str, Mapping[str, tuple[str, str]]] | None = None,
    severities: Mapping[str, str],
    age: timedelta = timedelta(hours=1),
) -> None:
    """Write a database as Trivy keeps it in its cache folder.

    Args:
        cache: The folder for `--cache-dir`.
        debian: From a source package of Debian 12 to CVE ids to the version that fixes it, empty for none.
        pypi: From a Python package to CVE ids to the vulnerable range and the version that fixes it.
        npm: The same of Node packages.
        severities: From a CVE id to `CRITICAL`, `HIGH`, …
        age: How long ago the database was made.
    """
    folder = cache / "db"
    folder.mkdir(parents=True, exist_ok=True)
    root = Bucket(
        {
            "data-source": Bucket(
                {
                    "debian 12": {"ID": "debian", "Name": "Debian", "URL": "https://example.invalid"},
                    _PIP: {"ID": "ghsa", "Name": "Pip", "URL": "https://example.invalid"},
                    _NPM: {"ID": "ghsa", "Name": "Npm", "URL": "https://example.invalid"},
                }
            ),
            "debian 12": _debian(debian or {}),
            _PIP: _language(pypi or {}),
            _NPM: _language(npm or {}),
            "vulnerability": Bucket(
                {name: {"Title": f"planted {name}", "Severity": word} for name, word in severities.items()}
            ),
        }
    )
    (folder / "trivy.db").write_bytes(_Writer().file(root))
    made = datetime.now(UTC) - age
    metadata = {"Version": 2, "UpdatedAt": made, "NextUpdate": made + timedelta(days=1), "DownloadedAt": made}
    (folder / "metadata.json").write_text(json.dumps(metadata, default=datetime.isoformat))


_PIP = "pip::Planted Pip"
_NPM = "npm::Planted Npm"


def _debian(packages: Mapping[str, Mapping[str, str]]) -> Bucket:
    return Bucket(
        {
            package: Bucket({cve: {"FixedVersion": fixed} for cve, fixed in found.items()})
            for package, found in packages.items()
        }
    )


def _language(packages: Mapping[str, Mapping[str, tuple[str, str]]]) -> Bucket:
    return Bucket(
        {
            package: Bucket(
                {
                    cve: {"VulnerableVersions": [affected], "PatchedVersions": [fixed]}
                    for cve, (affected, fixed) in found.items()
                }
            )
            for package, found in packages.items()
        }
    )


class _Writer:
    """Collects pages; the first three are the meta pages and the free list."""

    def __init__(self) -> None:
        self._pages: dict[int, bytes] = {}
        self._next = 3

    def file(self, root: Bucket) -> bytes:
        page = self._bucket(root)
        content = bytearray(self._next * _PAGE)
        for number in (0, 1):
            self._put(content, number, self._meta(number, page))
        self._put(content, 2, struct.pack("<QHHI", 2, _FREELIST, 0, 0))
        for number, data in self._pages.items():
            self._put(content, number, data)
        return bytes(content)

    @staticmethod
    def _put(content: bytearray, number: int, data: bytes) -> None:
        content[number * _PAGE : number * _PAGE + len(data)] = data

    def _meta(self, number: int, root: int) -> bytes:
        """magic, version, page size, flags, root bucket (page, sequence), free list, highest page, transaction."""
        meta = struct.pack("<IIIIQQQQQ", _MAGIC, _VERSION, _PAGE, 0, root, 0, 2, self._next, number + 1)
        return struct.pack("<QHHI", number, _META, 0, 0) + meta + struct.pack("<Q", _fnv1a(meta))

    def _bucket(self, bucket: Bucket) -> int:
        items: list[tuple[bytes, int, bytes]] = []
        for key in sorted(bucket, key=str.encode):
            value = bucket[key]
            if isinstance(value, Bucket):
                items.append((key.encode(), _IS_BUCKET, struct.pack("<QQ", self._bucket(value), 0)))
            else:
                items.append((key.encode(), 0, json.dumps(value).encode()))
        return self._leaf(items)

    def _leaf(self, items: list[tuple[bytes, int, bytes]]) -> int:
        """Elements of 16 bytes (flags, offset of the key from the element, key size, value size), then the data."""
        elements, data = b"", b""
        for number, (key, flags, value) in enumerate(items):
            offset = 16 * (len(items) - number) + len(data)
            elements += struct.pack("<IIII", flags, offset, len(key), len(value))
            data += key + value
        body = elements + data
        overflow = (16 + len(body) + _PAGE - 1) // _PAGE - 1
        page = self._next
        self._next += overflow + 1
        self._pages[page] = struct.pack("<QHHI", page, _LEAF, len(items), overflow) + body
        return page


def _fnv1a(data: bytes) -> int:
    """FNV-1a of 64 bits, bbolt's checksum of a meta page."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return value
