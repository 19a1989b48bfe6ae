"""JavaScript and TypeScript on Node or Bun: npm, yarn, pnpm, bun."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.dockerfile_facts import read_dockerfile
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.javascript.frameworks import SERVERS, SITES, Site
from container_kit.stages.ecosystems.javascript.packages import (
    NodePackage,
    read_manager,
    read_package,
    read_version,
    workspace_members,
)
from container_kit.stages.ecosystems.javascript.scripts import (
    claim_script,
    is_nowhere,
    only_builds,
    runner,
    runs_nothing,
    script_ports,
    start_script,
)
from container_kit.stages.ecosystems.javascript.sites import describe_site, is_configured
from container_kit.stages.ecosystems.javascript.system_packages import SYSTEM_PACKAGES

_META = {
    "waku",
    "nextjs",
    "nuxt",
    "remix",
    "react-router",
    "sveltekit",
    "solidstart",
    "tanstack-start",
    "redwoodjs",
    "blitz",
}
_OWN_SERVER = {
    "nestjs",
    "adonisjs",
    "strapi",
    "keystone",
    "sails",
    "directus",
    "medusa",
    "meteor",
    "loopback",
    "midway",
}
_INFRASTRUCTURE = ("aws-cdk-lib", "@aws-cdk/core", "@pulumi/pulumi", "cdktf", "cdk8s", "sst")
_SUFFIXES = (".js", ".ts", ".mjs", ".cjs", ".jsx", ".tsx", ".mts")
_COMPONENTS = (".vue", ".svelte", ".astro")
_TYPED_COMPONENT = re.compile(r"<script[^>]*\blang=[\"']tsx?[\"']")
_SERVER_SCRIPTS = (
    "start:prod",
    "start:production",
    "start",
    "server:prod",
    "serve",
    "server",
    "prod",
    "production",
    "preview",
    "dev",
)
_ENTRIES = ("server", "index", "app", "main", "src/server", "src/index", "src/main", "src/app", "bin/www", "api/index")


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read `package.json`, then decide between the server, the site and the program that it describes."""
    package = read_package(folder)
    draft.manifests.extend(name for name in ("package.json",) if folder.has(name))
    draft.name = str(package.data.get("name") or "")
    draft.private = package.data.get("private") is True
    for names, into in ((package.runtime, draft.dependencies), (package.tools, draft.tools)):
        into.update({name.lower(): folder.place("package.json", f'"{name}"') for name in names})
    _read_language(folder, package, draft)
    read_manager(folder, package, draft)
    read_version(folder, package, draft)
    _read_application(folder, package, draft)
    if "build" in package.scripts:
        draft.build.add(f"{runner(draft)} run build", "declared", folder.place("package.json", '"build"'))


def _read_language(folder: Folder, package: NodePackage, draft: ModuleDraft) -> None:
    typed = [path for path in folder.files(".ts", ".tsx", ".mts") if not path.endswith((".d.ts", "config.ts"))]
    plain = [path for path in folder.files(".js", ".jsx", ".mjs", ".cjs") if not _is_tooling(path)]
    config = folder.first("tsconfig.json", "tsconfig.app.json", "tsconfig.base.json")
    if not typed and not plain and (found := folder.find(_TYPED_COMPONENT.pattern, *_COMPONENTS, limit=10)):
        draft.language.add("typescript", "code", folder.place(found[0], _TYPED_COMPONENT))
    elif typed and len(typed) * (3 if config else 1) >= len(plain):
        draft.language.add("typescript", "declared", folder.place(config or typed[0]))
    elif not typed and config and _is_set_up_for_types(folder, package, plain):
        draft.language.add("typescript", "declared", folder.place(config), confidence=0.93)
    else:
        _claim_language_without_types(folder, package, draft, config)


def _claim_language_without_types(folder: Folder, package: NodePackage, draft: ModuleDraft, config: str | None) -> None:
    """Claim JavaScript; without any source, TypeScript if the manifests ask for it."""
    sources = folder.files(*_SUFFIXES, limit=1, depth=4)
    place = folder.place("package.json" if folder.has("package.json") else (sources or ["index.js"])[0])
    if not sources and (config or package.has("typescript", "ts-node", "tsx")):
        draft.language.add("typescript", "declared", folder.place(config) if config else place, confidence=0.93)
    else:
        draft.language.add("javascript", "declared", place)


def _is_set_up_for_types(folder: Folder, package: NodePackage, plain: list[str]) -> bool:
    """Return whether a folder with little or no JavaScript is set up for TypeScript."""
    return bool(not plain and folder.matching("*.config.ts")) or (len(plain) < 3 and package.has("typescript"))


def _is_tooling(path: str) -> bool:
    """Return whether a file configures a tool or was built."""
    name = path.rpartition("/")[2]
    return ".config." in name or name.startswith(".") or path.startswith(("dist/", "build/", "public/", "out/"))


def _read_application(folder: Folder, package: NodePackage, draft: ModuleDraft) -> None:
    site = _site(folder, package)
    server = next((server for server in SERVERS if any(name in package.runtime for name in server.packages)), None)
    if site and _is_front_end(folder, package, site, server):
        describe_site(folder, package, draft, site)
    else:
        _describe_server(folder, package, draft, server)


def _site(folder: Folder, package: NodePackage) -> Site | None:
    site = next((site for site in SITES if package.has(*site.packages) or is_configured(folder, site.name)), None)
    return None if site and site.name in _BUNDLERS and _bundles_a_package(folder, package) else site


def _is_front_end(folder: Folder, package: NodePackage, site: Site, server: Framework | None) -> bool:
    """Return whether a package with front-end tools is the front end, not a server that also builds one."""
    if server is not None and server.name in _OWN_SERVER:
        return False
    return site.name in _META or not _runs_server(folder, package, server)


_BUNDLERS = frozenset(["vite", "webpack", "parcel", "rspack", "rsbuild", "farm"])


def _bundles_a_package(folder: Folder, package: NodePackage) -> bool:
    """Return whether a bundler builds a tool or a library: there is no page, but something to install or import."""
    offered = any(package.data.get(key) for key in ("bin", "exports", "files"))
    return offered and not folder.first("index.html", "src/index.html", "public/index.html", "app/index.html")


def _runs_server(folder: Folder, package: NodePackage, server: Framework | None) -> bool:
    """Return whether a package with front-end tools is started as a server, whose framework it has."""
    if server is None:
        return False
    if server.name in _OWN_SERVER:
        return True
    start = next(
        (package.resolved(name) for name in ("start:prod", "start", "server:prod") if name in package.scripts), ""
    )
    starts = re.search(r"\b(node|tsx|ts-node|nodemon|bun|pm2|nest)\b", start) is not None
    alone = bool(package.data.get("bin")) or any(folder.first(f"{entry}.js", f"{entry}.ts") for entry in _ENTRIES[:1])
    return starts or (not start and alone)


def _describe_server(folder: Folder, package: NodePackage, draft: ModuleDraft, server: Framework | None) -> None:
    if server:
        _claim_server(folder, package, draft, server)
    names = _SERVER_SCRIPTS if server else ("start:prod", "start")
    script = start_script(package, tuple(name for name in names if not only_builds(package, name)))
    if script:
        claim_script(folder, package, draft, script, 0.55 if script == "dev" else 0.93)
        script_ports(folder, package, draft, script)
    scripted = script not in {None, "dev"} and not runs_nothing(folder, package, script or "")
    _read_entry(folder, package, draft, scripted=scripted)
    if (draft.program.value or "").startswith("wrangler"):
        places = draft.start.best.locations if draft.start.best else ()
        draft.role.add("web", "configuration", *places, confidence=0.85)
        draft.port.add(8787, "framework", folder.place("package.json", "wrangler"), confidence=0.65)
    if not server and not draft.start:
        _describe_package(folder, package, draft)


def _claim_server(folder: Folder, package: NodePackage, draft: ModuleDraft, server: Framework) -> None:
    named = next(name for name in server.packages if name in package.runtime)
    place = folder.place("package.json", f'"{named}"')
    draft.framework.add(server.name, "declared", place, confidence=0.95)
    draft.role.add(server.role, "framework", place, confidence=0.9)
    draft.port.add(server.port, "framework", place)


def _read_entry(folder: Folder, package: NodePackage, draft: ModuleDraft, *, scripted: bool) -> None:
    """Claim the file that is run: the one that the start script names, `main`, or a usual name."""
    main = _main_of(package)
    entry = _entry_file(folder, draft, main)
    if main and re.match(r"(?:\./)?(?:dist|build|out)/", main) and "build" in package.scripts and draft.framework:
        place = folder.place("package.json", '"main"')
        draft.start.add(f"node {main.removeprefix('./')}", "declared", place, confidence=0.7)
    if entry is None:
        return
    if main and not draft.start and is_nowhere(folder, package, main):
        draft.broken[f"main is a file that is not there: {main}"] = folder.place("package.json", '"main"')
    draft.entrypoint.add(entry, "code", folder.place(entry))
    if not draft.framework and not package.runtime:
        _claim_imported(folder, draft, entry)
    if not _is_published(package, draft) and (scripted or _is_program(folder, draft, entry)):
        _claim_run(folder, draft, entry, scripted=scripted)


def _main_of(package: NodePackage) -> str | None:
    main = package.data.get("main") or package.data.get("module")
    return main if isinstance(main, str) else None


def _entry_file(folder: Folder, draft: ModuleDraft, main: str | None) -> str | None:
    started = re.search(r"(?:node|bun|tsx|ts-node|nodemon)\s+(?:run\s+|-\S+\s+)*([\w./-]+)", draft.program.value or "")
    usual = [f"{entry}{suffix}" for entry in _ENTRIES for suffix in (".js", ".ts", ".mjs", ".cjs", "")]
    names = [name.removeprefix("./") for name in (started[1] if started else None, main, *usual) if name]
    return next((n for name in names for n in (name, f"{name}.js", f"{name}/index.js") if folder.has(n)), None)


def _is_published(package: NodePackage, draft: ModuleDraft) -> bool:
    """Return whether the package is made for others to install."""
    offers = package.data.get("files") or package.data.get("exports") or package.data.get("types")
    return bool(offers) and not draft.framework and not draft.private


def _is_program(folder: Folder, draft: ModuleDraft, entry: str) -> bool:
    """Return whether a file is started although no script says so."""
    if not folder.path or draft.framework:
        return True
    return re.search(r"\b(listen|serve|createServer)\(", folder.source(entry)) is not None


def _claim_run(folder: Folder, draft: ModuleDraft, entry: str, *, scripted: bool) -> None:
    bun, typed = runner(draft) == "bun", entry.endswith(("ts", "tsx"))
    command = f"bun {entry}" if bun else f"npx tsx {entry}" if typed else f"node {entry}"
    place = folder.place(entry)
    draft.start.add(command, "code", place, confidence=0.8 if (bun or not typed) and not scripted else 0.5)
    if not typed:
        draft.program.add(command, "code", place, confidence=0.5)


def _claim_imported(folder: Folder, draft: ModuleDraft, entry: str) -> None:
    """Claim the framework that the entry file imports, for a package without declared dependencies."""
    imported = set(re.findall(r"(?:require\(|from)\s*['\"]([^'\"]+)['\"]", folder.source(entry)))
    server = next((server for server in SERVERS if imported & set(server.packages)), None)
    if server:
        named = next(name for name in server.packages if name in imported)
        draft.framework.add(server.name, "code", folder.place(entry, named))


def _describe_package(folder: Folder, package: NodePackage, draft: ModuleDraft) -> None:
    place = folder.place("package.json") if folder.has("package.json") else None
    if package.has(*_INFRASTRUCTURE):
        draft.private = True  # it describes where things run, and runs nowhere itself
        draft.role.add("library", "declared", place, confidence=0.95)
    elif package.data.get("bin"):
        draft.role.add("cli", "declared", folder.place("package.json", '"bin"'), confidence=0.9)
    elif package.data.get("main") or package.data.get("exports") or package.data.get("module"):
        draft.role.add("library", "declared", place, confidence=0.85)
    else:
        draft.role.add("library", "guess", place, confidence=0.4)


def _is_node(folder: Folder) -> bool:
    """Return whether scripts belong to a server, not a page: they require, export or use the process."""
    server = re.compile(
        r"\brequire\(|\bmodule\.exports\b|\bprocess\.|\bBun\.|from\s+['\"](?:node:|express|http|fs|path)|createServer"
    )
    bases = read_dockerfile("Dockerfile", folder.text("Dockerfile")).bases
    if any(re.search(r"\b(?:node|bun)\b", base) for base in bases):
        return True
    return any(server.search(folder.source(path)) for path in folder.files(*_SUFFIXES, limit=10, depth=3))


DETECTORS = (
    Detector(
        "node",
        describe,
        version_tools=("nodejs", "node", "bun"),
        system_packages=SYSTEM_PACKAGES,
        manifests=("package.json", "bun.lock", "bun.lockb"),
        entry_files=("server.js", "index.js", "app.js", "index.ts", "main.js", "server.ts", "index.mjs", "app.ts"),
        recognises=_is_node,
        frameworks=SERVERS,
        workspace=workspace_members,
        sources=_SUFFIXES,
        rank=60,
    ),
)
