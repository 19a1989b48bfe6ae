"""Scala and Clojure: the build tool packs everything; the rest is as for Java."""

from __future__ import annotations

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.apt_packages import runtime_packages
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.recipe import Build, Recipe, RuntimeImage, cached, chain

_ENVIRONMENT = {"JAVA_TOOL_OPTIONS": "-XX:MaxRAMPercentage=75.0 -XX:+ExitOnOutOfMemoryError"}
_RUNTIME = Base("eclipse-temurin:21-jre")


def scala(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Scala application: `stage` of sbt-native-packager leaves the jars in one folder."""
    base = bases.pick(
        Base("sbtscala/scala-sbt:eclipse-temurin-21.0.7_6_1.11.1_3.3.6"),
        rationale="sbt on Java 21; it fetches the project's own",
    )
    caches = ("/root/.cache/coursier", "/root/.ivy2", "/root/.sbt")
    target = f"{app.folder}/target/universal/stage"
    lines = (
        "WORKDIR /app",
        *app.copy_manifests(),
        cached(caches, "sbt update"),
        "COPY . .",
        cached(caches, chain("sbt stage", f"cp -r {target}/lib /out")),
    )
    main = _main_class(app)
    command = ("java", "-cp", "/app/*", main) if main else ("java", "-cp", "/app/*", "play.core.server.ProdServerStart")
    reasons = (Reason(decision="sbt stage", rationale="all jars in one folder; java itself is PID 1, not a script"),)
    return _packed(app, bases, Build(base, lines), command, reasons)


def clojure(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a Clojure application: an uberjar."""
    leiningen = app.manager != "tools.deps"
    tool = "lein" if leiningen else "tools-deps"
    base = bases.pick(Base(f"clojure:temurin-21-{tool}"), rationale="Clojure's own, on Java 21")
    fetch, build = ("lein deps", "lein uberjar") if leiningen else ("clojure -P", "clojure -T:build uber")
    jar = "find target -name '*.jar' -size +1M -exec cp {} /out/app.jar ';'"
    caches = ("/root/.m2", "/root/.gitlibs")
    lines = (
        "WORKDIR /app",
        *app.copy_manifests(),
        *app.enter(),
        cached(caches, fetch),
        app.copy_source(),
        cached(caches, chain(build, "mkdir /out", jar)),
    )
    reasons = (Reason(decision=build, rationale="one jar with all it needs"),)
    return _packed(app, bases, Build(base, lines), ("java", "-jar", "/app/app.jar"), reasons)


def _packed(app: App, bases: Bases, build: Build, command: tuple[str, ...], reasons: tuple[Reason, ...]) -> Recipe:
    base = bases.pick(_RUNTIME, rationale="runs what was compiled, and no more")
    runtime = RuntimeImage(
        base,
        command,
        copies=("COPY --from=build /out /app",),
        environment=_ENVIRONMENT,
        packages=runtime_packages(app.packages),
    )
    return Recipe((build,), runtime, ignore=("**/target", "**/.bsp", "**/.cpcache", "**/.lein-*"), reasons=reasons)


def _main_class(app: App) -> str | None:
    """Return the object with `main`, from the file in which it was seen."""
    for place in app.module.start_command.locations:
        file = place.split(":")[0]
        if file.endswith(".scala"):
            package = re.search(r"^\s*package\s+([\w.]+)", app.tree.text(file) or "", re.MULTILINE)
            name = file.rsplit("/", 1)[-1].removesuffix(".scala")
            return f"{package[1]}.{name}" if package else name
    return None
