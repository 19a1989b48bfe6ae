"""Credentials for private base images: from the docker configuration and its helpers, asked only when needed."""

from __future__ import annotations

_HUB_HOSTS = {"registry-1.docker.io", "docker.io", "index.docker.io"}


def for_registry(host: str) -> tuple[str, str]:
    """Look up a registry's user name and secret; two empty texts where there are none. It may start a helper."""
    from docker import auth
    from docker.errors import DockerException

    try:
        found = auth.load_config().resolve_authconfig(auth.INDEX_NAME if host in _HUB_HOSTS else host)
    except (DockerException, OSError, ValueError):
        return "", ""  # without credentials the registry itself says what is missing
    if not found:
        return "", ""
    token = found.get("IdentityToken") or found.get("identitytoken")
    if token:
        return "", str(token)
    return str(found.get("Username") or found.get("username") or ""), str(
        found.get("Password") or found.get("password") or ""
    )
