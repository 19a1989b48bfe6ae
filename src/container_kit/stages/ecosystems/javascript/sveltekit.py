"""SvelteKit's adapters: what those for hosting platforms make runs in no container, so the one for Node.js is used."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.javascript.installation.install_root import all_dependencies

_OTHER = re.compile(r"@sveltejs/adapter-(?:auto|vercel|netlify|cloudflare(?:-workers)?)\b")
_ADD = {"npm": "npm install --no-save", "pnpm": "pnpm add --save-dev", "yarn": "yarn add --dev", "bun": "bun add --dev"}
NODE = "@sveltejs/adapter-node"
_VERSIONS = {"1": "1", "2": "5"}
"""The major of the adapter by the major of SvelteKit."""
SERVER = "node build"
"""What the adapter's result is started with."""


def replaced_adapter(app: App) -> str | None:
    """Return the adapter that is replaced; None if the application runs in a container as it is."""
    if app.framework != "sveltekit" or app.role == "static" or NODE in all_dependencies(app):
        return None
    texts = (app.tree.text(path) or "" for path in _configs(app))
    return next((match[0] for text in texts if (match := _OTHER.search(text))), None)


def replace_adapter(app: App) -> tuple[str, ...]:
    """Return the commands of the build that replace the adapter; none if it stays."""
    adapter = replaced_adapter(app)
    if adapter is None:
        return ()
    files = " ".join(path.rpartition("/")[2] for path in _configs(app))
    kit = re.match(r"[\^~>=v\s]*(\d+)", all_dependencies(app).get("@sveltejs/kit", ""))
    version = _VERSIONS.get(kit[1] if kit else "", "latest")
    return (f"{_ADD.get(app.manager, _ADD['npm'])} {NODE}@{version}", f"sed -i 's,{adapter},{NODE},' {files}")


def _configs(app: App) -> tuple[str, ...]:
    names = sorted(app.tree.names(app.module.path))
    return tuple(
        app.inside(name) for name in names if re.fullmatch(r"(?:svelte|vite)\.config\.[cm]?[jt]s", name, re.ASCII)
    )
