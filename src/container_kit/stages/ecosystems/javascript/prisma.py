"""The client that Prisma generates. The build makes it: install scripts may be blocked, and version 7 has none."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_word
from container_kit.stages.ecosystems.javascript.installation.install_root import all_dependencies, dependencies

_SCHEMAS = ("prisma/schema.prisma", "schema.prisma", "src/prisma/schema.prisma", "db/schema.prisma")
_CONFIGS = ("prisma.config.ts", "prisma.config.js", "prisma.config.mjs")
_VARIABLE = re.compile(r"\benv(?:<[^>]*>)?\(\s*['\"](\w+)['\"]|process\.env\.(\w+)|process\.env\[['\"](\w+)['\"]\]")
_PLACEHOLDERS = {"sqlite": "file:/tmp/build.db", "mysql": "mysql://127.0.0.1/build", "sqlserver": "sqlserver://127.0.0.1",
    "mongodb": "mongodb://127.0.0.1/build"}  # fmt: skip


def uses_prisma(app: App) -> bool:
    """Return whether the module has a schema of Prisma and its client."""
    packages = all_dependencies(app)
    return bool({"prisma", "@prisma/client"} & packages.keys()) and bool(_schema(app) or _config(app))


def generate_client(app: App) -> tuple[str, ...]:
    """Return the command that generates the client; none if the project's own scripts run it in the build."""
    if not uses_prisma(app):
        return ()
    scripts = dependencies(app.tree.json(app.inside("package.json")), "scripts")
    if any("prisma generate" in scripts.get(name, "") for name in ("build", "prebuild", "postinstall", "prepare")):
        return ()
    packages = all_dependencies(app)
    program = "prisma" if "prisma" in packages else shell_word(f"prisma@{packages['@prisma/client']}")
    return (f"npx --yes {program} generate",)


def placeholders(app: App) -> dict[str, str]:
    """Return values for the variables that the schema reads; generating the client connects to nothing."""
    text = (app.tree.text(_schema(app)) or "") if _schema(app) else ""
    text += (app.tree.text(_config(app)) or "") if _config(app) else ""
    provider = re.search(r"datasource\s+\w+\s*\{[^}]*?\bprovider\s*=\s*\"(\w+)\"", text)
    value = _PLACEHOLDERS.get(provider[1] if provider else "", "postgresql://127.0.0.1/build")
    names = (next(group for group in match.groups() if group) for match in _VARIABLE.finditer(text))
    return dict.fromkeys(names, value)


def _schema(app: App) -> str:
    declared = app.tree.json(app.inside("package.json")).get("prisma")
    named = declared.get("schema") if isinstance(declared, dict) else None
    paths = [str(named).removeprefix("./")] if isinstance(named, str) else []
    return next((app.inside(path) for path in (*paths, *_SCHEMAS) if app.tree.exists(app.inside(path))), "")


def _config(app: App) -> str:
    return next((app.inside(name) for name in _CONFIGS if app.tree.exists(app.inside(name))), "")
