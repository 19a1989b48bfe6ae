"""Nx projects that have a `project.json` and no other manifest: their executors show the framework."""

from __future__ import annotations

from typing import Any

from container_kit.stages.artifacts.analysis import Role
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.javascript.packages import read_manager, read_package, read_version

_KINDS: tuple[tuple[str, str | None, Role, int], ...] = (
    (r"@(?:nx|nrwl)/next", "nextjs", "web", 3000),
    (r"@(?:nx|nrwl)/nuxt", "nuxt", "web", 3000),
    (r"@(?:nx|nrwl)/remix", "remix", "web", 3000),
    (r"@angular-devkit/build-angular|@(?:nx|nrwl)/angular|@angular/build", "angular", "static", 4200),
    (r"@(?:nx|nrwl)/expo|@(?:nx|nrwl)/react-native", "expo", "static", 8081),
    (r"@(?:nx|nrwl)/(?:js|node|esbuild)", None, "web", 3000),
    (r"@(?:nx|nrwl)/vite", "vite", "static", 4200),
    (r"@(?:nx|nrwl)/(?:webpack|web|rspack|react)", "react", "static", 4200),
)
"""Executors with the framework, role and port of what they build; the first that is found counts."""
_SERVERS = (
    ("nestjs", "@nestjs/core"),
    ("fastify", "fastify"),
    ("koa", "koa"),
    ("hono", "hono"),
    ("express", "express"),
)


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read `project.json` with the workspace's `package.json`."""
    data, place = folder.json("project.json"), folder.place("project.json")
    root = Folder(folder.tree)
    package = read_package(root)
    draft.manifests.append("project.json")
    draft.name = str(data.get("name") or folder.base)
    draft.private = True
    scripts = folder.files(".ts", ".tsx", limit=3, depth=5)
    draft.language.add("typescript" if scripts or folder.has("tsconfig.json") else "javascript", "declared", place)
    read_manager(folder, package, draft)
    read_version(root, package, draft)
    targets = data.get("targets")
    if data.get("projectType") == "library" or not isinstance(targets, dict) or "-e2e" in draft.name:
        draft.role.add("library", "declared", place)
        return
    _claim_application(folder, root, draft, targets)


def _claim_application(folder: Folder, root: Folder, draft: ModuleDraft, targets: dict[str, Any]) -> None:
    text, place = folder.text("project.json"), folder.place("project.json")
    kind = next((kind for kind in _KINDS if re.search(kind[0], text)), None)
    framework, role, port = kind[1:] if kind else (None, "web", 3000)
    node = (
        re.search(r"@(?:nx|nrwl)/(?:js:node|node:)|\"target\"\s*:\s*\"node\"|\"platform\"\s*:\s*\"node\"", text)
        is not None
    )
    if node:
        role = "web"
        framework = next((name for name, package in _SERVERS if _uses(folder, root, package)), None)
    draft.framework.add(framework, "configuration", place, confidence=0.9)
    draft.role.add(role, "configuration", place, confidence=0.9)
    draft.port.add(port, "framework", place)
    runner = {"npm": "npx", "yarn": "yarn", "pnpm": "pnpm", "bun": "bunx"}.get(
        draft.package_manager.value or "npm", "npx"
    )
    if "build" in targets:
        draft.build.add(f"{runner} nx build {draft.name}", "configuration", place)
    if node:
        main = re.search(r"\"outputPath\"\s*:\s*\"([^\"]+)\"", text)
        draft.start.add(f"node {main[1]}/main.js" if main else None, "configuration", place, confidence=0.8)
    served = next((name for name in ("start", "serve", "dev") if name in targets), None)
    draft.start.add(f"{runner} nx {served} {draft.name}" if served else None, "configuration", place, confidence=0.7)


def _uses(folder: Folder, root: Folder, package: str) -> bool:
    if f'"{package}"' not in root.text("package.json"):
        return False
    return folder.find(rf"['\"]{re.escape(package)}['\"/]", ".ts", ".js") is not None or package == "@nestjs/core"


DETECTORS = (Detector("nx", describe, manifests=("project.json",), sources=(".ts", ".js"), rank=61),)
