"""Languages that compile to one program and have a small manifest: Swift, Dart, Crystal, Zig."""

from __future__ import annotations

import re

from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Ecosystem, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

SWIFT = (
    Framework("vapor", ("vapor",), 8080),
    Framework("hummingbird", ("hummingbird",), 8080),
    Framework("kitura", ("kitura",), 8080),
    Framework("perfect", ("perfecthttpserver", "perfect-httpserver"), 8181),
)
DART = (
    Framework("flutter", ("flutter",), None, "static"),
    Framework("serverpod", ("serverpod",), 8080),
    Framework("dart_frog", ("dart_frog",), 8080),
    Framework("shelf", ("shelf", "shelf_router"), 8080),
    Framework("angel3", ("angel3_framework",), 3000),
    Framework("alfred", ("alfred",), 3000),
    Framework("jaspr", ("jaspr",), 8080),
)
CRYSTAL = (
    Framework("lucky", ("lucky",), 3000),
    Framework("amber", ("amber",), 3000),
    Framework("kemal", ("kemal",), 3000),
    Framework("athena", ("athena",), 3000),
    Framework("grip", ("grip",), 4004),
)
ZIG = (
    Framework("httpz", ("httpz", "http.zig"), 5882),
    Framework("zap", ("zap",), 3000),
    Framework("jetzig", ("jetzig",), 8080),
    Framework("tokamak", ("tokamak",), 8080),
)


def describe_swift(folder: Folder, draft: ModuleDraft) -> None:
    """Read `Package.swift`."""
    text, place = folder.text("Package.swift"), folder.place("Package.swift")
    draft.manifests.extend(name for name in ("Package.swift", "Package.resolved") if folder.has(name))
    draft.locked = folder.has("Package.resolved") or ".package(" not in text
    draft.language.add("swift", "declared", place)
    draft.package_manager.add("swiftpm", "declared", place)
    if found := re.search(r"swift-tools-version:\s*([\d.]+)", text):
        draft.version.add(found[1], "declared", folder.place("Package.swift", found[0]))
    for found in re.finditer(r"\.package\([^)]*url:\s*\"[^\"]*/([\w.-]+?)(?:\.git)?\"", text):
        draft.dependencies.setdefault(found[1].lower(), folder.place("Package.swift", found[1]))
    named = re.search(r"\.executable(?:Target)?\(\s*name:\s*\"([^\"]+)\"", text)
    main = next(
        (p for p in folder.files(".swift", depth=4) if p.endswith(("main.swift", "entrypoint.swift", "App.swift"))),
        None,
    )
    if named or main:
        package = re.search(r"name:\s*\"([^\"]+)\"", text)
        inner = re.match(r"Sources/([^/]+)/", main or "")
        target = named[1] if named else inner[1] if inner else package[1] if package else folder.base
        draft.name = target
        draft.entrypoint.add(main, "code", folder.place(main) if main else None)
        claim_program(draft, f".build/release/{target}", "swift run", "swift build -c release", place)
        if "vapor" in draft.dependencies:
            draft.start.add(f".build/release/{target} serve --hostname 0.0.0.0", "framework", place, confidence=0.83)
    else:
        draft.role.add("library", "declared", place, confidence=0.85)


def describe_dart(folder: Folder, draft: ModuleDraft) -> None:
    """Read `pubspec.yaml`."""
    data, place = folder.yaml("pubspec.yaml"), folder.place("pubspec.yaml")
    draft.manifests.extend(name for name in ("pubspec.yaml", "pubspec.lock") if folder.has(name))
    draft.locked = folder.has("pubspec.lock")
    draft.name = str(data.get("name") or folder.base)
    draft.language.add("dart", "declared", place)
    draft.package_manager.add("pub", "declared", place)
    environment = data.get("environment")
    version = environment.get("sdk") if isinstance(environment, dict) else None
    draft.version.add(version if isinstance(version, str) else None, "declared", folder.place("pubspec.yaml", "sdk:"))
    for key, into in (("dependencies", draft.dependencies), ("dev_dependencies", draft.tools)):
        table = data.get(key)
        for name in table if isinstance(table, dict) else ():
            into[name] = folder.place("pubspec.yaml", f"{name}:")
    if "flutter" in draft.dependencies:
        draft.build.add("flutter build web", "framework", place, confidence=0.8)
        draft.output.add("build/web", "framework", place)
        draft.start.add("flutter run -d web-server", "framework", place, confidence=0.4)
        return
    if "dart_frog" in draft.dependencies:
        draft.start.add("dart build/bin/server.dart", "framework", place, confidence=0.6)
        draft.build.add("dart_frog build", "framework", place)
        return
    binaries = [path for path in folder.files(".dart", depth=3) if path.startswith("bin/")]
    usual = [p for p in binaries if p in {"bin/server.dart", "bin/main.dart", f"bin/{draft.name}.dart"}] or binaries
    if usual:
        draft.entrypoint.add(usual[0], "code", folder.place(usual[0]))
        claim_program(
            draft,
            f"dart run {usual[0]}",
            "dart run",
            f"dart compile exe {usual[0]} -o bin/server",
            folder.place(usual[0]),
        )
    else:
        draft.role.add("library", "declared", place, confidence=0.8)


def describe_crystal(folder: Folder, draft: ModuleDraft) -> None:
    """Read `shard.yml`: its targets are what can be started."""
    data, place = folder.yaml("shard.yml"), folder.place("shard.yml")
    draft.manifests.extend(name for name in ("shard.yml", "shard.lock") if folder.has(name))
    dependencies, targets = data.get("dependencies"), data.get("targets")
    draft.locked = folder.has("shard.lock") or not dependencies
    draft.name = str(data.get("name") or folder.base)
    draft.language.add("crystal", "declared", place)
    draft.package_manager.add("shards", "declared", place)
    version = data.get("crystal")
    draft.version.add(str(version) if version else None, "declared", folder.place("shard.yml", "crystal:"))
    for name in dependencies if isinstance(dependencies, dict) else ():
        draft.dependencies[name.lower()] = folder.place("shard.yml", f"{name}:")
    if isinstance(targets, dict) and targets:
        name, target = next(iter(targets.items()))
        main = target.get("main") if isinstance(target, dict) else None
        draft.entrypoint.add(main if isinstance(main, str) else None, "declared", folder.place("shard.yml", "targets:"))
        claim_program(
            draft,
            f"./bin/{name}",
            f"crystal run {main}",
            "shards build --release",
            folder.place("shard.yml", "targets:"),
        )
    elif folder.has(f"src/{draft.name}.cr") and (draft.dependencies.keys() & {"kemal", "lucky", "amber", "athena"}):
        draft.start.add(
            f"crystal run src/{draft.name}.cr", "code", folder.place(f"src/{draft.name}.cr"), confidence=0.7
        )
    else:
        draft.role.add("library", "declared", place, confidence=0.75)


def describe_zig(folder: Folder, draft: ModuleDraft) -> None:
    """Read `build.zig` and `build.zig.zon`."""
    text, place = folder.text("build.zig"), folder.place("build.zig")
    zon = folder.text("build.zig.zon")
    draft.manifests.extend(name for name in ("build.zig", "build.zig.zon") if folder.has(name))
    draft.locked = True  # the manifest holds hashes
    draft.language.add("zig", "declared", place)
    draft.package_manager.add("zig", "declared", place)
    if found := re.search(r"minimum_zig_version\s*=\s*\"([^\"]+)\"", zon):
        draft.version.add(found[1], "declared", folder.place("build.zig.zon", found[0]))
    block = zon.partition(".dependencies")[2]
    for found in re.finditer(r"\.(?:@\")?([\w.-]+)\"?\s*=\s*\.\{", block):
        draft.dependencies.setdefault(found[1].lower(), folder.place("build.zig.zon", found[1]))
    if "addExecutable" in text:
        named = re.search(r"addExecutable\(.*?\.?name\s*=\s*\"([^\"]+)\"", text, re.DOTALL) or re.search(
            r"addExecutable\(\"([^\"]+)\"", text
        )
        draft.name = named[1] if named else folder.base
        place = folder.place("build.zig", "addExecutable")
        draft.entrypoint.add(folder.first("src/main.zig", "main.zig"), "code", place)
        claim_program(draft, f"./zig-out/bin/{draft.name}", "zig build run", "zig build -Doptimize=ReleaseSafe", place)
    else:
        draft.role.add("library", "code", place, confidence=0.8)


def claim_program(draft: ModuleDraft, start: str, runs: str, builds: str, place: str) -> None:
    """Claim what starts the program that was built, what builds and runs it at once, and what builds it."""
    draft.start.add(start, "declared", place, confidence=0.8)
    draft.start.add(runs, "framework", place, confidence=0.5)
    draft.build.add(builds, "framework", place, confidence=0.85)


ECOSYSTEMS = (
    Ecosystem(
        "swift",
        describe_swift,
        manifests=("Package.swift",),
        frameworks=SWIFT,
        sources=(".swift",),
        language="swift",
        runs="swift {file}",
        rank=23,
    ),
    Ecosystem(
        "dart",
        describe_dart,
        manifests=("pubspec.yaml",),
        frameworks=DART,
        sources=(".dart",),
        language="dart",
        runs="dart run {file}",
        rank=24,
    ),
    Ecosystem(
        "crystal",
        describe_crystal,
        manifests=("shard.yml",),
        frameworks=CRYSTAL,
        sources=(".cr",),
        language="crystal",
        runs="crystal run {file}",
        rank=29,
    ),
    Ecosystem(
        "zig",
        describe_zig,
        manifests=("build.zig", "build.zig.zon"),
        frameworks=ZIG,
        sources=(".zig",),
        language="zig",
        runs="zig run {file}",
        rank=32,
    ),
)
