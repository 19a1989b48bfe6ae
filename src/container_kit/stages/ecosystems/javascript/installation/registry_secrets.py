"""Variables with credentials of private registries that `.npmrc` and `.yarnrc.yml` read: secrets of the build."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.javascript.installation.install_root import all_dependencies, root_file

_PUBLIC = ("registry.npmjs.org", "registry.yarnpkg.com")
_VARIABLE = re.compile(r"\$\{([A-Za-z_]\w*)(:?-[^}]*)?\??\}")
_CREDENTIAL = re.compile(r"^\s*(?://([^/:\s]+)\S*:)?(?:_authToken|_auth|_password|username)\s*=\s*(.+)$", re.MULTILINE)
_SCOPE = re.compile(r"^\s*(@[\w.-]+):registry\s*=\s*https?://([^/:\s]+)", re.MULTILINE)
_DEFAULT = re.compile(r"^\s*registry\s*=\s*https?://([^/:\s]+)", re.MULTILINE)


def registry_secrets(app: App) -> dict[str, bool]:
    """Return the names of the variables, and whether an installation needs each.

    A token for the public registry is for publishing; so is one for a scope of which nothing is installed.
    """
    found: dict[str, bool] = {}
    text = app.tree.text(root_file(app, ".npmrc")) or ""
    hosts = _hosts_in_use(app, text)
    for host, value in _CREDENTIAL.findall(text):
        for name, _ in _VARIABLE.findall(value):
            found[name] = found.get(name, False) or host in hosts
    for name, fallback in _VARIABLE.findall(app.tree.text(root_file(app, ".yarnrc.yml")) or ""):
        found[name] = found.get(name, False) or not fallback
    return found


def _hosts_in_use(app: App, text: str) -> set[str]:
    packages = all_dependencies(app)
    scoped = {host for scope, host in _SCOPE.findall(text) if any(name.startswith(f"{scope}/") for name in packages)}
    return (scoped | set(_DEFAULT.findall(text))) - set(_PUBLIC)


def mount_flags(secrets: dict[str, bool]) -> tuple[str, ...]:
    """Return the options of RUN that mount the secrets."""
    return tuple(
        f"--mount=type=secret,id={name}{',required=true' if required else ''}" for name, required in secrets.items()
    )


def read_commands(secrets: dict[str, bool]) -> tuple[str, ...]:
    """Return the commands that put the secrets into variables; one that was not given is empty."""
    return tuple(f'export {name}="$(cat /run/secrets/{name} 2>/dev/null || true)"' for name in secrets)
