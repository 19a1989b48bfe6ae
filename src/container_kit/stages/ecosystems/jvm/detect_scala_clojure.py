"""Scala built by sbt or Mill, and Clojure by Leiningen or its own tools."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.jvm.frameworks import CONFIGURED, claim_main

SCALA = (
    Framework("play", ("sbt-plugin", "play", "playscala", "playjava"), 9000),
    Framework("http4s", ("http4s-ember-server", "http4s-blaze-server", "http4s-dsl"), 8080),
    Framework("zio-http", ("zio-http",), 8080),
    Framework("akka-http", ("akka-http",), 8080),
    Framework("pekko-http", ("pekko-http",), 8080),
    Framework("scalatra", ("scalatra",), 8080),
    Framework("finatra", ("finatra-http-server", "finatra-http"), 8888),
    Framework("finch", ("finch-core", "finchx-core"), 8080),
    Framework("cask", ("cask",), 8080),
    Framework("tapir", ("tapir-core",), 8080),
)
CLOJURE = (
    Framework(
        "luminus",
        ("luminus-transit", "luminus-undertow", "luminus-jetty", "luminus-http-kit", "luminus-migrations"),
        3000,
    ),
    Framework("pedestal", ("io.pedestal/pedestal.service", "io.pedestal/pedestal.jetty"), 8080),
    Framework("compojure", ("compojure", "compojure/compojure", "metosin/compojure-api"), 3000),
    Framework("reitit", ("metosin/reitit", "metosin/reitit-ring"), 3000),
    Framework("ring", ("ring", "ring/ring-core", "ring/ring-jetty-adapter", "ring/ring-defaults"), 3000),
    Framework("http-kit", ("http-kit", "http-kit/http-kit"), 8080),
    Framework("aleph", ("aleph", "aleph/aleph"), 8080),
)


def describe_sbt(folder: Folder, draft: ModuleDraft) -> None:
    """Read `build.sbt` and the plugins of the build."""
    build = folder.first("build.sbt", "project/build.properties", "build.sc", "build.mill") or "build.sbt"
    place = folder.place(build)
    paths = (build, "project/plugins.sbt", "project/Dependencies.scala")
    texts = {path: folder.text(path) for path in paths if folder.has(path)}
    text = texts.get(build, "")
    draft.manifests.append(build)
    draft.locked = True  # exact versions are named
    draft.language.add("scala", "declared", place)
    draft.package_manager.add(_tool(build), "declared", place)
    _read_libraries(folder, draft, texts)
    if named := re.search(r"scalaVersion\s*:=\s*\"([^\"]+)\"", text):
        draft.version.add(named[1], "declared", folder.place(build, named[0]))
    if named := re.search(r"^\s*(?:ThisBuild\s*/\s*)?name\s*:=\s*\"([^\"]+)\"", text, re.MULTILINE):
        draft.name = named[1]
    if claim_main(folder, draft) is None and not {"play", "sbt-plugin"} & draft.dependencies.keys():
        draft.role.add("library", "code", place, confidence=0.8)
        return
    _claim_sbt_start(folder, draft, build, texts)


def _tool(build: str) -> str:
    return "mill" if build.startswith(("build.sc", "build.mill")) else "sbt"


def _claim_sbt_start(folder: Folder, draft: ModuleDraft, build: str, texts: dict[str, str]) -> None:
    tool, place = _tool(build), folder.place(build)
    staged = "sbt-native-packager" in texts.get("project/plugins.sbt", "") or "play" in draft.dependencies
    draft.build.add(f"{tool} stage" if staged else f"{tool} compile", "framework", place)
    module = re.search(r"^object\s+(\w+)\s+extends\s+(?!\w*Root)\w*Module", texts.get(build, ""), re.MULTILINE)
    part = f"{module[1]}." if tool == "mill" and module else ""
    draft.start.add(f"{tool} {part}run", "framework", place, confidence=0.75)
    if staged:
        name = re.sub(r"[^\w]+", "-", (draft.name or folder.base).lower())
        draft.start.add(f"target/universal/stage/bin/{name}", "framework", place, confidence=0.7)


def _read_libraries(folder: Folder, draft: ModuleDraft, texts: dict[str, str]) -> None:
    for path, text in texts.items():
        for match in re.finditer(r'"([\w.-]+)"\s*%%?%?\s*"([\w.-]+)"(?:\s*%\s*[^,)\n]*?%\s*"?(Test|test)\b)?', text):
            into = draft.tools if match[3] else draft.dependencies
            name = re.sub(r"_(?:2\.\d+|3)$|-experimental(?=_|$)", "", match[2].lower())
            into.setdefault(re.sub(r"-experimental$", "", name), folder.place(path, match[0]))
        for match in re.finditer(r'\b(?:ivy|mvn)"[\w.-]+:{1,3}([\w.-]+):', text):
            draft.dependencies.setdefault(match[1].lower(), folder.place(path, match[0]))
        if named := re.search(r"enablePlugins\([^)]*\b(Play\w*)", text):
            draft.dependencies.setdefault("play", folder.place(path, named[0]))


def describe_clojure(folder: Folder, draft: ModuleDraft) -> None:
    """Read `project.clj` or `deps.edn`."""
    leiningen = folder.has("project.clj")
    manifest = "project.clj" if leiningen else "deps.edn"
    text, place = folder.text(manifest), folder.place(manifest)
    draft.manifests.append(manifest)
    draft.locked = True  # exact versions are named
    draft.language.add("clojure", "declared", place)
    draft.package_manager.add("leiningen" if leiningen else "tools.deps", "declared", place)
    pattern = r"\[([\w./-]+)\s+\"[^\"]+\"" if leiningen else r"([\w.-]+(?:/[\w.-]+)?)\s+\{:(?:mvn|git|local)/"
    for match in re.finditer(pattern, text):
        draft.dependencies.setdefault(match[1].lower(), folder.place(manifest, match[0]))
    if named := re.search(r"\(defproject\s+(\S+)", text):
        draft.name = named[1]
    if named := re.search(r"org\.clojure/clojure\s+(?:\{:mvn/version\s+)?\"([^\"]+)\"", text):
        draft.version.add(named[1], "declared", folder.place(manifest, named[0][:30]))
    _claim_clojure_start(folder, draft, manifest, text, leiningen=leiningen)


def _claim_clojure_start(folder: Folder, draft: ModuleDraft, manifest: str, text: str, *, leiningen: bool) -> None:
    main = re.search(r":main\s+\^?:?(?:skip-aot\s+)?([\w.-]+)", text) or re.search(r"\"-m\"\s+\"([\w.-]+)\"", text)
    source = folder.find(r"\(defn\s+-main\b", ".clj", ".cljc")
    if leiningen and (main or ":ring" in text):
        _claim_leiningen(folder, draft, text, main)
    elif not leiningen and (main or source):
        _claim_tools_deps(folder, draft, text, main[1] if main else _namespace(source[0] if source else ""))
    else:
        draft.role.add("library", "code", folder.place(manifest), confidence=0.7)


def _claim_leiningen(folder: Folder, draft: ModuleDraft, text: str, main: re.Match[str] | None) -> None:
    place = folder.place("project.clj")
    if main:
        draft.entrypoint.add(main[1], "declared", folder.place("project.clj", main[0]))
    draft.start.add("lein run" if main else "lein ring server-headless", "framework", place, confidence=0.78)
    stem = re.search(r"\(defproject\s+(\S+)\s+\"([^\"]+)\"", text)
    jar = re.search(r":uberjar-name\s+\"([^\"]+)\"", text)
    name = jar[1] if jar else f"{stem[1].rpartition('/')[2]}-{stem[2]}-standalone.jar" if stem else "app.jar"
    draft.start.add(f"java -jar target/uberjar/{name}", "framework", place, confidence=0.7)
    draft.build.add("lein uberjar", "framework", place, confidence=0.85)


def _claim_tools_deps(folder: Folder, draft: ModuleDraft, text: str, namespace: str) -> None:
    alias = re.search(r":(run[\w-]*|start|main|server)\s+\{", text)
    command = f"clojure -M:{alias[1]}" if alias else f"clojure -M -m {namespace.replace('/', '.').replace('_', '-')}"
    draft.start.add(command, "framework", folder.place("deps.edn"), confidence=0.75)
    if folder.has("build.clj"):
        draft.build.add("clojure -T:build uber", "framework", folder.place("build.clj"))


def _namespace(path: str) -> str:
    """Return the namespace of a source file, with `/` between its parts."""
    return re.sub(r"^(?:src/)?(?:clj/)?", "", path).rpartition(".")[0]


DETECTORS = (
    Detector(
        "sbt",
        describe_sbt,
        version_tools=("java",),
        manifests=("build.sbt", "build.sc", "build.mill"),
        frameworks=SCALA,
        port_from_config=CONFIGURED,
        sources=(".scala",),
        settings=(".conf",),
        rank=13,
    ),
    Detector(
        "clojure",
        describe_clojure,
        version_tools=("java",),
        manifests=("project.clj", "deps.edn"),
        frameworks=CLOJURE,
        sources=(".clj", ".cljc"),
        settings=(".edn",),
        language="clojure",
        rank=14,
    ),
)
