"""Elixir and Gleam, the languages of the Erlang machine."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

ELIXIR = (
    Framework("phoenix", ("phoenix",), 4000),
    Framework("plug", ("plug_cowboy", "bandit", "plug"), 4000),
    Framework("nerves", ("nerves",), None, "worker"),
)
GLEAM = (
    Framework("wisp", ("wisp",), 8000),
    Framework("lustre", ("lustre",), 1234, "static"),
    Framework("mist", ("mist",), 8000),
)


def describe_elixir(folder: Folder, draft: ModuleDraft) -> None:
    """Read `mix.exs`: its dependencies, and whether it names an application to start."""
    text = folder.text("mix.exs")
    place = folder.place("mix.exs")
    draft.manifests.extend(name for name in ("mix.exs", "mix.lock") if folder.has(name))
    draft.locked = folder.has("mix.lock")
    draft.language.add("elixir", "declared", place)
    draft.package_manager.add("mix", "declared", place)
    if match := re.search(r"\bapp:\s*:(\w+)", text):
        draft.name = match[1]
    if match := re.search(r"\belixir:\s*\"([^\"]+)\"", text):
        draft.version.add(match[1], "declared", folder.place("mix.exs", match[0]))
    for match in re.finditer(r"\{:(\w+),\s*((?:\"|git|path|in_umbrella)[^}]*)", re.sub(r"#.*", "", text)):
        into = draft.tools if re.search(r"only:\s*\[?:(?:dev|test)", match[2]) else draft.dependencies
        into.setdefault(match[1], folder.place("mix.exs", match[0].partition("\n")[0]))
    if "phoenix" in draft.dependencies and not folder.has_folder("apps"):
        draft.start.add("mix phx.server", "framework", place, confidence=0.82)
        draft.start.add(f"_build/prod/rel/{draft.name}/bin/{draft.name} start", "framework", place, confidence=0.5)
        draft.build.add("mix release", "framework", place)
        draft.port.add(4000, "framework", place, confidence=0.8)
    elif re.search(r"\bmod:\s*\{", text):
        draft.start.add("mix run --no-halt", "declared", folder.place("mix.exs", "mod:"), confidence=0.82)
        draft.build.add("mix compile", "framework", place)
        draft.role.add("worker", "declared", folder.place("mix.exs", "mod:"), confidence=0.6)
    elif "escript" in text:
        draft.role.add("cli", "declared", folder.place("mix.exs", "escript"), confidence=0.85)
        draft.start.add(f"./{draft.name}", "declared", folder.place("mix.exs", "escript"), confidence=0.7)
    else:
        draft.role.add("library", "code", place, confidence=0.7)


def umbrella(folder: Folder) -> tuple[str, list[str]] | None:
    """Return the applications of an umbrella project."""
    if "apps_path" not in folder.text("mix.exs"):
        return None
    home = folder.tree.folders.get(f"{folder.path}/apps".lstrip("/"))
    return "mix", [f"apps/{name}" for name in home.folders] if home else []


def describe_gleam(folder: Folder, draft: ModuleDraft) -> None:
    """Read `gleam.toml`."""
    data = folder.toml("gleam.toml")
    place = folder.place("gleam.toml")
    draft.manifests.extend(name for name in ("gleam.toml", "manifest.toml") if folder.has(name))
    draft.locked = folder.has("manifest.toml")
    draft.name = str(data.get("name") or folder.base)
    draft.language.add("gleam", "declared", place)
    draft.package_manager.add("gleam", "declared", place)
    required = data.get("gleam")
    draft.version.add(
        required if isinstance(required, str) else None, "declared", folder.place("gleam.toml", "gleam =")
    )
    dependencies = data.get("dependencies")
    for name in dependencies if isinstance(dependencies, dict) else ():
        draft.dependencies[name] = folder.place("gleam.toml", name)
    main = f"src/{draft.name}.gleam"
    if "pub fn main" in folder.source(main):
        draft.entrypoint.add(main, "code", folder.place(main, "pub fn main"))
        draft.start.add("gleam run", "framework", folder.place(main, "pub fn main"), confidence=0.88)
        draft.build.add("gleam export erlang-shipment", "framework", place)
    else:
        draft.role.add("library", "code", place, confidence=0.8)


DETECTORS = (
    Detector(
        "elixir",
        describe_elixir,
        version_tools=("elixir",),
        manifests=("mix.exs",),
        frameworks=ELIXIR,
        workspace=umbrella,
        sources=(".ex", ".exs"),
        language="elixir",
        run_command="elixir {file}",
        rank=27,
    ),
    Detector(
        "gleam",
        describe_gleam,
        version_tools=("gleam",),
        manifests=("gleam.toml",),
        frameworks=GLEAM,
        sources=(".gleam",),
        language="gleam",
        rank=28,
    ),
)
