"""Java and Kotlin: built by Maven, Gradle or javac; run on a Java runtime without the compiler."""

from __future__ import annotations

import re

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.dockerfile.app import START_UNKNOWN, App
from container_kit.stages.dockerfile.bases import Base, Bases
from container_kit.stages.dockerfile.recipe import Build, Recipe, Runtime, cached, chain, system_packages
from container_kit.stages.dockerfile.versions import allows

_LONG_TERM = ("25", "21", "17", "11", "8")
_MODULES = (
    "java.se,jdk.crypto.ec,jdk.httpserver,jdk.jfr,jdk.localedata,jdk.management,jdk.naming.dns,jdk.net,jdk.unsupported,"
    "jdk.zipfs"
)
"""What frameworks and plain services use; a program that needs another fails when it starts, by name."""
_OPTIONS = "-XX:MaxRAMPercentage=75.0 -XX:+ExitOnOutOfMemoryError"
_JAR = (
    "find {folder} -maxdepth 1 -name '*.jar' ! -name '*-sources.jar' ! -name '*-javadoc.jar' ! -name '*-plain.jar' "
    "! -name 'original-*' ! -name '*-tests.jar' -exec cp {{}} /out/app.jar ';'"
)
_IGNORE = ("**/target", "**/build", "**/.gradle", "**/out", "**/*.class")
_APPLICATION = ("java", "-jar", "/app/app.jar")


def java(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a program on the Java virtual machine."""
    version = _version(app)
    build, command = {"maven": _maven, "gradle": _gradle}.get(app.manager, _javac)(app, bases, version)
    runtime, runtime_base = _runtime(bases, version)
    declared = app.command() if app.start else None
    environment = {"JAVA_TOOL_OPTIONS": _OPTIONS} | ({"SERVER_PORT": str(app.port)} if app.port else {})
    if runtime:
        environment["PATH"] = "/opt/java/bin:$PATH"
        build = Build(build.base, (*build.lines[:-1], _with_runtime(build.lines[-1])))
    return Recipe(
        (build,),
        Runtime(
            runtime_base,
            command,
            copies=(*runtime, "COPY --from=build /out /app"),
            environment=environment | (dict(declared.environment) if declared else {}),
        ),
        ignore=_IGNORE,
        reasons=(Reason(choice="no JDK in the last stage", because="a compiler is of use to an intruder only"),),
    )


def _version(app: App) -> str:
    declared = app.version or ""
    plain = re.match(r"(?:1\.)?(\d+)", declared.strip())
    if plain:
        return plain[1]
    return next((version for version in _LONG_TERM if not declared or allows(declared, version)), "21")


def _runtime(bases: Bases, version: str) -> tuple[tuple[str, ...], Base]:
    """The runtime's image; where there is none, one that jlink makes of the JDK's own modules."""
    jre = Base(f"eclipse-temurin:{version}-jre")
    base = bases.pick(jre, Base("debian:bookworm-slim"), because=f"the Java {version} runtime")
    made = "eclipse-temurin" not in base.reference and "debian:bookworm-slim" in base.reference
    return (("COPY --from=build /opt/java /opt/java",) if made else ()), base


def _with_runtime(run: str) -> str:
    link = f"jlink --add-modules {_MODULES} --strip-debug --no-header-files --no-man-pages --output /opt/java"
    return f"{run} \\\n    && {link}"


def _jdk(bases: Bases, version: str) -> Base:
    return bases.pick(Base(f"eclipse-temurin:{version}-jdk"), because=f"the project asks for Java {version}")


def _maven(app: App, bases: Bases, version: str) -> tuple[Build, tuple[str, ...]]:
    wrapper = app.tree.exists("mvnw") and app.tree.exists(".mvn/wrapper/maven-wrapper.properties")
    usual = () if wrapper else (Base(f"maven:3.9-eclipse-temurin-{version}"),)
    base = bases.pick(*usual, Base(f"eclipse-temurin:{version}-jdk"), because=f"Maven on Java {version}")
    tool = "./mvnw" if wrapper else "mvn"
    needs_maven = not wrapper and "maven:" not in base.reference and "temurin" in base.reference
    select = "" if app.module.path == "." else f" -pl {app.module.path} -am"
    target = f"{app.folder}/target"
    quarkus = app.framework == "quarkus"
    collect = (
        f"cp -r {target}/quarkus-app/. /out/"
        if quarkus
        else chain(
            _JAR.format(folder=target),
            ""
            if app.framework == "spring-boot"
            else f"{tool} -B{select} dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=/out/lib",
        )
    )
    lines = (
        *(system_packages(base, ("maven",)) if needs_maven else ()),
        "WORKDIR /app",
        *(("COPY .mvn ./.mvn", "COPY mvnw ./") if wrapper else ()),
        *app.copy_manifests(),
        cached("/root/.m2", f"{tool} -B{select} dependency:go-offline"),
        "COPY . .",
        cached("/root/.m2", chain(f"{tool} -B{select} package -DskipTests", "mkdir /out", collect)),
    )
    return Build(base, lines), ("java", "-jar", "/app/quarkus-run.jar") if quarkus else _jar_command(app)


def _gradle(app: App, bases: Bases, version: str) -> tuple[Build, tuple[str, ...]]:
    wrapper = app.tree.exists("gradlew") and app.tree.exists("gradle/wrapper/gradle-wrapper.jar")
    base = (
        _jdk(bases, version)
        if wrapper
        else bases.pick(Base(f"gradle:8-jdk{version}"), Base(f"eclipse-temurin:{version}-jdk"), because="Gradle's own")
    )
    tool = "./gradlew --no-daemon" if wrapper else "gradle --no-daemon"
    project = "" if app.module.path == "." else ":" + app.module.path.replace("/", ":") + ":"
    output = f"{app.folder}/build"
    if app.framework == "spring-boot":
        task, collect = "bootJar", _JAR.format(folder=f"{output}/libs")
        command: tuple[str, ...] = _APPLICATION
    else:
        task, collect = "installDist", f"cp {output}/install/*/lib/*.jar /out/"
        command = _class_command(app, "/app/*")
    lines = (
        "WORKDIR /app",
        *(("COPY gradlew ./", "COPY gradle ./gradle") if wrapper else ()),
        *app.copy_manifests(),
        cached("/root/.gradle", f"{tool} {project}dependencies"),
        "COPY . .",
        cached("/root/.gradle", chain(f"{tool} {project}{task}", "mkdir /out", collect)),
    )
    return Build(base, lines), command


def _javac(app: App, bases: Bases, version: str) -> tuple[Build, tuple[str, ...]]:
    base = _jdk(bases, version)
    classpath = f" -cp '{app.folder}/lib/*'" if "lib" in app.tree.names(app.module.path) else ""
    compile_all = f"find . -name '*.java' -exec javac -encoding UTF-8 -d /out{classpath} {{}} +"
    libraries = f"cp -r {app.folder}/lib /out/lib" if classpath else ""
    lines = ("WORKDIR /app", app.copy_source(), *app.enter(), "RUN " + chain("mkdir /out", compile_all, libraries))
    return Build(base, lines), _class_command(app, "/app:/app/lib/*" if classpath else "/app")


def _jar_command(app: App) -> tuple[str, ...]:
    """A jar that names its main class runs by itself; a start command that names the class needs the class path."""
    main = _main_class(app)
    return ("java", "-cp", "/app/app.jar:/app/lib/*", main) if main else _APPLICATION


def _class_command(app: App, classpath: str) -> tuple[str, ...]:
    main = _main_class(app)
    if main is None:
        raise START_UNKNOWN(f"the class with the main method of {app.module.path} is unknown", path=app.module.path)
    return ("java", "-cp", classpath, main)


def _main_class(app: App) -> str | None:
    """Find the main class: in the start command, else by the file in which it was seen."""
    words = list(app.command().arguments) if app.start else []
    if words[:1] == ["java"] and "-jar" not in words:
        last = words[-1].removesuffix(".java").split("/")[-1] if words[-1].endswith(".java") else words[-1]
        if re.fullmatch(r"[\w.$]+", last):
            return _with_package(app, last)
    for place in app.module.start_command.places:
        file = place.split(":")[0]
        name = file.rsplit("/", 1)[-1]
        if name.endswith((".java", ".kt")):
            return _in_package(app, file, name.removesuffix(".java").replace(".kt", "Kt"))
    return None


def _with_package(app: App, name: str) -> str:
    """Complete a class's bare name by the package that its file declares."""
    if "." in name:
        return name
    for place in app.module.start_command.places:
        if place.split(":")[0].endswith(f"{name}.java"):
            return _in_package(app, place.split(":")[0], name)
    return name


def _in_package(app: App, file: str, name: str) -> str:
    package = re.search(r"^\s*package\s+([\w.]+)", app.tree.text(file) or "", re.MULTILINE)
    return f"{package[1]}.{name}" if package else name
