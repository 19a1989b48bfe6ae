"""Rust: Cargo packages and workspaces."""

from __future__ import annotations

from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.facets.detection.values import table_in
from container_kit.stages.ecosystems.rust.system_packages import SYSTEM_PACKAGES

FRAMEWORKS = (
    Framework("loco", ("loco-rs",), 5150),
    Framework("leptos", ("leptos", "leptos_axum"), 3000),
    Framework("rocket", ("rocket",), 8000),
    Framework("actix-web", ("actix-web",), 8080),
    Framework("axum", ("axum",), 3000),
    Framework("poem", ("poem",), 3000),
    Framework("salvo", ("salvo",), 5800),
    Framework("warp", ("warp",), 3030),
    Framework("tide", ("tide",), 8080),
    Framework("gotham", ("gotham",), 7878),
    Framework("iron", ("iron",), 3000),
    Framework("nickel", ("nickel",), 6767),
    Framework("rouille", ("rouille",), 8000),
    Framework("ntex", ("ntex",), 8080),
    Framework("tonic", ("tonic",), 50051),
    Framework("yew", ("yew",), 8080, "static"),
    Framework("dioxus", ("dioxus",), 8080),
    Framework("hyper", ("hyper",), 3000),
    Framework("poise", ("poise",), None, "worker"),
    Framework("serenity", ("serenity",), None, "worker"),
    Framework("twilight", ("twilight-gateway",), None, "worker"),
    Framework("teloxide", ("teloxide",), None, "worker"),
)


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read `Cargo.toml`; its binaries are what can be started."""
    data = folder.toml("Cargo.toml") or _salvaged(folder.text("Cargo.toml"))
    package = table_in(data, "package")
    draft.manifests.extend(name for name in ("Cargo.toml", "Cargo.lock") if folder.has(name))
    draft.locked = folder.has("Cargo.lock") or Folder(folder.tree).has("Cargo.lock")
    draft.language.add("rust", "declared", folder.place("Cargo.toml"))
    draft.package_manager.add("cargo", "declared", folder.place("Cargo.toml"))
    draft.name = str(package.get("name") or "")
    draft.private = package.get("publish") is False
    for table, into in (("dependencies", draft.dependencies), ("dev-dependencies", draft.tools)):
        for name in table_in(data, table):
            into[name.lower()] = folder.place("Cargo.toml", re.compile(rf"^\s*{re.escape(name)}\b", re.MULTILINE))
    _read_version(folder, package, draft)
    _claim_binaries(folder, draft, data)


def _salvaged(text: str) -> dict[str, Any]:
    """Return the package's name and dependencies from the lines of a broken manifest."""
    name = re.search(r"^name\s*=\s*\"([\w-]+)", text, re.MULTILINE)
    _, _, listed = text.partition("[dependencies]")
    names = re.findall(r"^([\w-]+)\s*=\s*[\"{]", listed.partition("\n[")[0], re.MULTILINE)
    return {"package": {"name": name[1]} if name else {}, "dependencies": dict.fromkeys(names)}


def _read_version(folder: Folder, package: dict[str, Any], draft: ModuleDraft) -> None:
    value = package.get("rust-version")
    draft.version.add(value if isinstance(value, str) else None, "declared", folder.place("Cargo.toml", "rust-version"))
    for path in ("rust-toolchain.toml", "rust-toolchain", "rust-version.txt"):
        text = folder.text(path)
        if found := re.search(r"channel\s*=\s*\"([^\"]+)\"", text) or re.match(r"\s*([\w.-]+)\s*$", text):
            draft.version.add(found[1], "declared", folder.place(path, found[1]), confidence=0.985)


def _claim_binaries(folder: Folder, draft: ModuleDraft, data: dict[str, Any]) -> None:
    binaries = _binaries(folder, draft, data)
    if not binaries:
        draft.role.add("library", "declared", folder.place("Cargo.toml"), confidence=0.9)
        return
    (first, source), place = binaries[0], folder.place("Cargo.toml")
    if folder.has(source):
        place = folder.place(source)
    draft.entrypoint.add(source, "declared", place)
    draft.build.add("cargo build --release", "framework", place, confidence=0.9)
    draft.output.add(f"target/release/{first}", "framework", place, confidence=0.9)
    runner = re.search(r"^\s*runner\s*=", folder.text(".cargo/config.toml"), re.MULTILINE)
    for name, _ in binaries[:2]:
        draft.start.add(f"./target/release/{name}", "declared", place, confidence=0.85 if name == first else 0.4)
    draft.start.add("cargo run --release", "framework", place, confidence=0.86 if runner else 0.5)
    if folder.first("Trunk.toml", "index.html") and "yew" in draft.dependencies:
        draft.role.add("static", "configuration", place, confidence=0.9)
        draft.build.add("trunk build --release", "framework", place, confidence=0.91)
        draft.output.add("dist", "framework", place, confidence=0.91)
        draft.start.add("trunk serve", "framework", place, confidence=0.87)


def _binaries(folder: Folder, draft: ModuleDraft, data: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the names and sources of the package's programs, the default one first."""
    listed = data.get("bin") if isinstance(data.get("bin"), list) else []
    declared = [entry for entry in listed or [] if isinstance(entry, dict) and isinstance(entry.get("name"), str)]
    binaries = [(str(entry["name"]), str(entry.get("path") or "src/main.rs")) for entry in declared]
    if folder.has("src/main.rs") and all(path != "src/main.rs" for _, path in binaries):
        binaries.insert(0, (draft.name or folder.base, "src/main.rs"))
    sources = folder.files(".rs", limit=200, depth=4)
    matches = (re.fullmatch(r"src/bin/(\w[\w-]*)(?:\.rs|/main\.rs)", path) for path in sources)
    binaries.extend((match[1], match[0]) for match in matches if match)
    default = table_in(data, "package").get("default-run")
    return sorted(binaries, key=lambda binary: binary[0] != default)


def workspace(folder: Folder) -> tuple[str, list[str]] | None:
    """Return the members that `[workspace]` names; `*` stands for one folder."""
    tied = table_in(folder.toml("Cargo.toml"), "workspace") if folder.has("Cargo.toml") else {}
    named = tied.get("members")
    members = [m for m in named if isinstance(m, str)] if isinstance(named, list) else []
    found: list[str] = []
    for member in members:
        base, star, _ = member.partition("*")
        if star:
            home = folder.tree.folders.get("/".join(part for part in (folder.path, base.strip("/")) if part))
            found.extend(f"{base}{name}".lstrip("/") for name in (home.folders if home else ()))
        else:
            found.append(member)
    return ("cargo", found) if members else None


DETECTORS = (
    Detector(
        "rust",
        describe,
        version_tools=("rust",),
        system_packages=SYSTEM_PACKAGES,
        manifests=("Cargo.toml",),
        frameworks=FRAMEWORKS,
        workspace=workspace,
        sources=(".rs",),
        settings=("Rocket.toml",),
        language="rust",
        rank=21,
    ),
)
