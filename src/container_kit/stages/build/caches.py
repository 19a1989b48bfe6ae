"""The form of buildx's caches: comma-separated fields, of which some name folders, hosts and credentials."""

from __future__ import annotations

import csv

_KEYS = {
    "registry": {"ref", "mode", "compression", "compression-level", "force-compression", "image-manifest",
                 "oci-mediatypes", "ignore-error"},
    "inline": set[str](),
    "gha": {"scope", "mode", "ignore-error", "repository"},
}  # fmt: skip
"""The allowed fields by type: none that names a folder, another server's address or a credential. `local` is a path
outside the workspace; `s3` and `azblob` take an address and keys."""
_TYPES = ", ".join(_KEYS)


def explain_invalid(text: str) -> str | None:
    """Return the required form if a cache is not allowed.

    Args:
        text: A reference of an image, or fields such as `type=registry,ref=registry.example/app:cache`.
    """
    try:
        [fields] = list(csv.reader([text], strict=True))
    except (csv.Error, ValueError):
        return "one line of comma-separated fields"
    if len(fields) == 1 and "=" not in fields[0]:
        fields = ["type=registry", f"ref={fields[0]}"]
    pairs = [field.partition("=") for field in fields]
    names = [name for name, _, _ in pairs]
    values = {name: value for name, _, value in pairs}
    kind = values.get("type", "")
    if len(set(names)) < len(names) or kind not in _KEYS:
        return f"one type of {_TYPES}, and each field once"
    if unknown := sorted(set(names) - {"type"} - _KEYS[kind]):
        return f"no field {unknown[0][:40]!r} in a cache of type {kind}"
    if not all(separator and _is_plain(value) for _, separator, value in pairs):
        return "NAME=VALUE with values of letters, digits and `./:@_-`"
    return None


def _is_plain(value: str) -> bool:
    return value.isascii() and all(c.isalnum() or c in "./:@_-" for c in value) and value[:1].isalnum()
