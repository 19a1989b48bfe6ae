"""`package.json`: dependencies, scripts, the package manager and the Node version."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.facets.detection.module_tree import join
from container_kit.stages.formats.documents import salvage_pairs
from container_kit.stages.formats.path_globs import PathGlobs

_CALLS = re.compile(r"(?:\b(?:npm|yarn|pnpm|bun) (?:run )?(?:-s |--silent )?|\brun-[sp] )([\w:.-]+)\s*(?:--.*)?$")
_LOCKS = {
    "bun.lock": "bun",
    "bun.lockb": "bun",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
}
_SIGNS = {
    "pnpm-workspace.yaml": "pnpm",
    ".yarnrc.yml": "yarn",
    ".yarnrc": "yarn",
    "bunfig.toml": "bun",
    ".pnpmfile.cjs": "pnpm",
}


@dataclass(slots=True)
class NodePackage:
    """What a `package.json` says."""

    data: dict[str, Any]
    scripts: dict[str, str] = field(default_factory=dict)
    runtime: dict[str, str] = field(default_factory=dict)
    tools: dict[str, str] = field(default_factory=dict)

    def resolved(self, name: str) -> str:
        """Return the command that a script finally runs, following the scripts that it calls."""
        command = self.scripts.get(name, "")
        for _ in range(4):
            match = _CALLS.search(command)
            if match is None or match[1] not in self.scripts or match[1] == name:
                break
            command = self.scripts[match[1]]
        return command

    def has(self, *names: str) -> bool:
        """Return whether one of these is a dependency of any kind."""
        return any(name in self.runtime or name in self.tools for name in names)


def read_package(folder: Folder) -> NodePackage:
    """Read `package.json`; from a broken one, take dependencies and scripts out of its pairs of strings."""
    data = folder.json("package.json")
    if not data and (text := folder.text("package.json")).strip():
        pairs = salvage_pairs(text)
        versions = {k: v for k, v in pairs.items() if re.fullmatch(r"[\^~>=<v]*\d[\w.-]*|latest|\*|workspace:.*", v)}
        scripts = {k: v for k, v in pairs.items() if k in {"start", "build", "dev", "serve", "preview"}}
        return NodePackage({}, scripts, {k: v for k, v in versions.items() if k != "version"}, {})
    return NodePackage(
        data, _texts(data.get("scripts")), _texts(data.get("dependencies")), _texts(data.get("devDependencies"))
    )


def _texts(value: Any) -> dict[str, str]:
    return {k: v for k, v in value.items() if isinstance(v, str)} if isinstance(value, dict) else {}


def read_manager(folder: Folder, package: NodePackage, draft: ModuleDraft) -> None:
    """Claim the package manager: `packageManager`, then lockfiles here and in the folders above, then signs."""
    declared = package.data.get("packageManager")
    if isinstance(declared, str) and (match := re.match(r"(npm|yarn|pnpm|bun)@", declared)):
        draft.package_manager.add(match[1], "declared", folder.place("package.json", "packageManager"), confidence=0.99)
    path = folder.path
    while True:
        above = Folder(folder.tree, path)
        if _read_lock(above, draft, own=path == folder.path) or not path:
            break
        path = path.rpartition("/")[0]
    engines = _texts(package.data.get("engines"))
    for name in ("pnpm", "yarn", "bun"):
        if name in engines:
            draft.package_manager.add(name, "declared", folder.place("package.json", f'"{name}"'), confidence=0.8)
    for sign, name in _SIGNS.items():
        if folder.has(sign):
            draft.package_manager.add(name, "configuration", folder.place(sign), confidence=0.85)
    for name in ("bun", "pnpm", "yarn"):
        if any(re.match(rf"{name}\b", script) for script in package.scripts.values()):
            draft.package_manager.add(name, "configuration", folder.place("package.json", f'"{name} '), confidence=0.7)
    place = folder.place("package.json") if folder.has("package.json") else None
    _read_bun(folder, package, draft, place)
    draft.package_manager.add("npm", "framework", place, confidence=0.69)


def _read_bun(folder: Folder, package: NodePackage, draft: ModuleDraft, place: str | None) -> None:
    """Claim Bun for a package that only Bun can run, without a lock file."""
    if package.has("bun-types", "@types/bun"):
        draft.package_manager.add("bun", "configuration", place, confidence=0.8)
    elif used := folder.find(r"\bBun\.(?:serve|listen|file|env|write)\b", ".ts", ".js", ".tsx", limit=10, depth=2):
        draft.package_manager.add("bun", "code", folder.place(used[0], "Bun."), confidence=0.75)


def _read_lock(folder: Folder, draft: ModuleDraft, *, own: bool) -> bool:
    """Read a folder's lockfile or `packageManager`; return whether one was found."""
    found = False
    for trust, (lock, name) in zip((0.985, 0.984, 0.983, 0.982, 0.981, 0.98), _LOCKS.items(), strict=True):
        if folder.has(lock):
            draft.package_manager.add(name, "declared", folder.place(lock), confidence=trust)
            draft.manifests.append(lock) if own else None
            draft.locked = found = True
    if folder.has("rush.json"):
        names = [name for name in ("pnpm", "yarn", "npm") if f"{name}Version" in folder.json("rush.json")]
        draft.package_manager.add(next(iter(names), None), "declared", folder.place("rush.json", "Version"))
        found = found or bool(names)
    if not own and isinstance(declared := folder.json("package.json").get("packageManager"), str):
        draft.package_manager.add(
            declared.partition("@")[0], "declared", folder.place("package.json", "packageManager")
        )
        found = True
    return found


def read_version(folder: Folder, package: NodePackage, draft: ModuleDraft) -> None:
    """Claim the Node version where the ecosystem declares it."""
    for path, trust in ((".nvmrc", 0.985), (".node-version", 0.984)):
        text = folder.text(path).strip()
        draft.version.add(text.removeprefix("v").split("\n")[0][:40], "declared", folder.place(path), confidence=trust)
    engines = _texts(package.data.get("engines"))
    draft.version.add(engines.get("node"), "declared", folder.place("package.json", "engines"))
    volta = _texts(package.data.get("volta"))
    draft.version.add(volta.get("node"), "declared", folder.place("package.json", "volta"), confidence=0.982)


def workspace_members(folder: Folder) -> tuple[str, list[str]] | None:
    """Return the workspace's tool and its members' paths, if this folder is a workspace's root."""
    data = folder.json("package.json") if folder.has("package.json") else {}
    declared = data.get("workspaces")
    globs = declared.get("packages") if isinstance(declared, dict) else declared
    tool = "npm"
    if folder.has("pnpm-workspace.yaml"):
        globs, tool = folder.yaml("pnpm-workspace.yaml").get("packages") or globs or ["."], "pnpm"
    elif folder.has("lerna.json"):
        globs, tool = globs or folder.json("lerna.json").get("packages") or ["packages/*"], "lerna"
    elif folder.has("yarn.lock"):
        tool = "yarn"
    elif folder.first("bun.lock", "bun.lockb"):
        tool = "bun"
    if folder.has("nx.json"):
        return "nx", _expand(folder, globs) + _projects(folder)
    if folder.has("turbo.json"):
        tool = "turbo"
    return (tool, _expand(folder, globs)) if isinstance(globs, list) else None


def _expand(folder: Folder, globs: Any) -> list[str]:
    """Return the folders with a `package.json` that match the patterns, those with `!` left out."""
    patterns = (
        [g.removeprefix("./").rstrip("/") for g in globs if isinstance(g, str)] if isinstance(globs, list) else []
    )
    include = PathGlobs(g for g in patterns if not g.startswith("!"))
    exclude = PathGlobs(g[1:].removeprefix("./") for g in patterns if g.startswith("!"))
    found = []
    for path in folder.tree.below(folder.path):
        relative = path[len(folder.path) :].lstrip("/")
        member = folder.tree.exists(join(path, "package.json")) and include.matches(relative)
        if relative and member and not exclude.matches(relative):
            found.append(relative)
    return found


def _projects(folder: Folder) -> list[str]:
    """Nx applications: folders with a `project.json`."""
    below = (path for path in folder.tree.below(folder.path) if folder.tree.exists(join(path, "project.json")))
    return [path[len(folder.path) :].lstrip("/") for path in below if path != folder.path]
