"""Erlang: rebar3 and erlang.mk."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

FRAMEWORKS = (
    Framework("nova", ("nova",), 8080),
    Framework("cowboy", ("cowboy",), 8080),
    Framework("elli", ("elli",), 3000),
    Framework("mochiweb", ("mochiweb",), 8080),
    Framework("yaws", ("yaws",), 8000),
)


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read `rebar.config` or erlang.mk's Makefile, and the release or the application that it makes."""
    manifest = folder.first("rebar.config", "erlang.mk") or "rebar.config"
    rebar, place = manifest == "rebar.config", folder.place(manifest)
    text = re.sub(r"%.*", "", folder.text(manifest if rebar else "Makefile"))
    draft.manifests.extend(name for name in (manifest, "rebar.lock") if folder.has(name))
    draft.locked = folder.has("rebar.lock") or not rebar
    draft.language.add("erlang", "declared", place)
    draft.package_manager.add("rebar3" if rebar else "make", "declared", place)
    for name in _dependencies(text, rebar=rebar):
        draft.dependencies.setdefault(name.lower(), folder.place(manifest, name))
    release = re.search(r"\{\s*release\s*,\s*\{\s*'?(\w+)'?", text) or re.search(r"^RELEASE\w*\s*[:+]?=\s*(\w+)", text)
    application = next(iter(folder.files(".app.src", depth=4)), None)
    source = folder.source(application) if application else ""
    named = release or re.search(r"\{\s*application\s*,\s*'?(\w+)'?", source)
    draft.name = named[1] if named else folder.base
    draft.build.add(_build_command(text, rebar=rebar, release=release is not None), "framework", place)
    runs = application if re.search(r"\{\s*mod\s*,", source) else None
    _claim_start(folder, draft, text, place, release=release is not None, runs=runs)


def _claim_start(folder: Folder, draft: ModuleDraft, text: str, place: str, *, release: bool, runs: str | None) -> None:
    """Claim the start of a release, a script, or an application that has a module to start."""
    rebar = draft.package_manager.value == "rebar3"
    if release:
        draft.start.add(_release_command(text, draft.name, rebar=rebar), "declared", place, confidence=0.75)
    elif "escript_" in text:
        draft.role.add("cli", "declared", place, confidence=0.85)
        draft.start.add(f"_build/default/bin/{draft.name}", "declared", place, confidence=0.7)
    elif runs:
        draft.start.add("rebar3 shell" if rebar else "make run", "framework", folder.place(runs), confidence=0.6)
    else:
        draft.role.add("library", "code", place, confidence=0.8)


def _build_command(text: str, *, rebar: bool, release: bool) -> str:
    if release:
        return "rebar3 as prod release" if "prod" in text else "rebar3 release"
    return "rebar3 compile" if rebar else "make"


def _release_command(text: str, name: str, *, rebar: bool) -> str:
    profile = "prod" if re.search(r"\{\s*prod\s*,", text) else "default"
    home = f"_build/{profile}/rel" if rebar else "_rel"
    return f"{home}/{name}/bin/{name} foreground"


def _dependencies(text: str, *, rebar: bool) -> list[str]:
    if not rebar:
        return re.findall(r"\w+", " ".join(re.findall(r"^DEPS\s*\+?=(.*)$", text, re.MULTILINE)))
    match = re.search(r"\{\s*deps\s*,\s*\[(.*?)\]\s*\}\s*\.", text, re.DOTALL)
    return re.findall(r"(?:^|[\[,{])\s*(\w+)(?=\s*(?:,\s*[\"{]|\s*[,}\]]|\s*$))", match[1]) if match else []


DETECTORS = (
    Detector(
        "erlang",
        describe,
        manifests=("rebar.config", "erlang.mk"),
        frameworks=FRAMEWORKS,
        sources=(".erl", ".app.src", ".config"),
        language="erlang",
        run_command="escript {file}",
        rank=30,
    ),
)
