"""Deno: `deno.json`, its tasks, and scripts that import by address."""

from __future__ import annotations

from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.facets.detection.module_tree import within
from container_kit.stages.ecosystems.facets.detection.values import table_in

FRAMEWORKS = (
    Framework("fresh", ("fresh", "$fresh"), 8000),
    Framework("oak", ("oak",), 8000),
    Framework("hono", ("hono",), 8000),
    Framework("express", ("express",), 3000),
    Framework("fastify", ("fastify",), 3000),
    Framework("koa", ("koa",), 3000),
    Framework("lume", ("lume",), 3000, "static"),
    Framework("aleph", ("aleph",), 3000),
    Framework("vite", ("vite",), 5173, "static"),
)
_IMPORT = re.compile(r"""from\s+["'](?:https://deno\.land/x/|jsr:@?|npm:@?)(?:[\w-]+/)?([\w$-]+)[@/"']""")
_ENTRIES = (
    "main.ts",
    "mod.ts",
    "server.ts",
    "index.ts",
    "app.ts",
    "main.js",
    "src/main.ts",
    "src/index.ts",
    "src/server.ts",
    "src/mod.ts",
    "main.tsx",
    "index.js",
    "dev.ts",
)


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read the configuration's imports and tasks, then the entry file."""
    manifest = folder.first("deno.json", "deno.jsonc", "deno.lock") or ""
    data: dict[str, Any] = folder.json(manifest) if manifest and manifest != "deno.lock" else {}
    first_source = next(iter(folder.files(".ts", ".js", ".tsx", limit=1, depth=3)), "")
    place = folder.place(manifest or first_source)
    draft.manifests.extend(name for name in ("deno.json", "deno.jsonc", "deno.lock") if folder.has(name))
    draft.locked = folder.has("deno.lock")
    draft.language.add(_language(folder), "declared", place)
    draft.package_manager.add("deno", "declared", place, confidence=0.985)
    entry = folder.first(*_ENTRIES) or next(iter(folder.files(".ts", ".js", limit=1, depth=2)), None)
    package = folder.json("package.json") if folder.has("package.json") else {}
    _read_imports(folder, draft, (manifest, within("", str(data.get("importMap") or "")) or ""), entry)
    for name in table_in(package, "dependencies"):
        draft.dependencies.setdefault(name.lower(), folder.place("package.json", f'"{name}"'))
    _claim_start(folder, draft, _tasks(package, data, manifest), entry)
    if data.get("exports") and not draft.start and not draft.role:
        draft.role.add("library", "declared", place, confidence=0.85)


def _tasks(package: dict[str, Any], data: dict[str, Any], manifest: str) -> dict[str, tuple[Any, str]]:
    """Return the tasks by name, each with the manifest that declares it."""
    scripts = {name: (command, "package.json") for name, command in table_in(package, "scripts").items()}
    return scripts | {name: (command, manifest) for name, command in table_in(data, "tasks").items()}


def _language(folder: Folder) -> str:
    typed = folder.files(".ts", ".tsx", limit=5, depth=4)
    return "typescript" if typed or not folder.files(".js", limit=1) else "javascript"


def _read_imports(folder: Folder, draft: ModuleDraft, maps: tuple[str, str], entry: str | None) -> None:
    """Take dependencies from import maps, and from what the entry file and its usual list of imports name."""
    for path in (path for path in maps if path.endswith((".json", ".jsonc"))):
        for name in table_in(folder.json(path), "imports"):
            draft.dependencies.setdefault(name.strip("/@").rpartition("/")[2].lower(), folder.place(path, f'"{name}"'))
    for path in filter(None, (entry, folder.first("deps.ts", "src/deps.ts"))):
        for match in _IMPORT.finditer(folder.source(path)):
            draft.dependencies.setdefault(match[1].lower(), folder.place(path, match[0]))


def _claim_start(folder: Folder, draft: ModuleDraft, tasks: dict[str, tuple[Any, str]], entry: str | None) -> None:
    task = next((name for name in ("start", "serve", "preview", "dev") if name in tasks), None)
    if task:
        command, manifest = tasks[task]
        place = folder.place(manifest, f'"{task}"')
        draft.start.add(f"deno task {task}", "declared", place, confidence=0.9 if task == "start" else 0.6)
        _claim_program(draft, str(command.get("command", "") if isinstance(command, dict) else command), place)
    if "build" in tasks:
        draft.build.add("deno task build", "declared", folder.place(tasks["build"][1], '"build"'))
    if entry is None:
        draft.role.add("library", "guess") if not task else None
        return
    if "vite" in draft.dependencies:
        return  # what there is runs in a browser
    text, place = folder.source(entry), folder.place(entry)
    draft.entrypoint.add(entry, "code", place)
    serves = re.search(r"Deno\.serve\b|\bserve\(|\.listen\(", text)
    if serves or "import.meta.main" in text or not re.match(r"(?:src/)?mod\.ts", entry):
        draft.start.add(f"deno run -A {entry}", "code", place, confidence=0.75)
    if serves:
        draft.role.add("web", "code", place, confidence=0.9)
        draft.port.add(8000, "framework", place, confidence=0.75)


def _claim_program(draft: ModuleDraft, program: str, place: str) -> None:
    draft.program.add(program, "declared", place)
    if match := re.search(r"\bdeno serve\b(?:.*--port[ =](\d{2,5})\b)?", program):
        draft.role.add("web", "declared", place, confidence=0.9)
        draft.port.add(int(match[1] or 8000), "declared", place, confidence=0.92 if match[1] else 0.75)


def _is_deno(folder: Folder) -> bool:
    """Scripts that only Deno can run: they import by address or use the `Deno` object."""
    texts = (folder.source(path) for path in folder.files(".ts", ".js", ".tsx", limit=10, depth=3))
    return any(re.search(r"\bDeno\.\w|from\s+[\"'](?:https://|jsr:|npm:)", text) for text in texts)


DETECTORS = (
    Detector(
        "deno",
        describe,
        version_tools=("deno",),
        manifests=("deno.json", "deno.jsonc", "deno.lock"),
        entry_files=(
            "main.ts",
            "mod.ts",
            "index.ts",
            "server.ts",
            "app.ts",
            "src/main.ts",
            "src/index.ts",
            "src/server.ts",
        ),
        recognises=_is_deno,
        frameworks=FRAMEWORKS,
        sources=(".ts", ".tsx", ".js"),
        rank=33,
    ),
)
