"""Java and Kotlin: built by Maven, Gradle or javac; run on a Java runtime without the compiler."""

from __future__ import annotations

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.apt_packages import runtime_packages
from container_kit.stages.ecosystems.facets.generation.base_images import Base, Bases
from container_kit.stages.ecosystems.facets.generation.program import DEBIANS
from container_kit.stages.ecosystems.facets.generation.questions import START_UNKNOWN
from container_kit.stages.ecosystems.facets.generation.recipe import (
    Build,
    Recipe,
    RuntimeImage,
    cached,
    chain,
    system_packages,
)
from container_kit.stages.ecosystems.facets.generation.version_ranges import preferred

_LONG_TERM = ("21", "25", "17", "11", "8")
_MODULES = (
    "java.se,jdk.crypto.ec,jdk.httpserver,jdk.jfr,jdk.localedata,jdk.management,jdk.naming.dns,jdk.net,jdk.unsupported,"
    "jdk.zipfs"
)
"""What frameworks and plain services use; a program that needs another fails when it starts, by name."""
_LINK = f"jlink --add-modules {_MODULES} --no-header-files --no-man-pages --output /opt/jre"
_OPTIONS = "-XX:MaxRAMPercentage=75.0 -XX:+ExitOnOutOfMemoryError"
_JAR = (
    "find {folder} -maxdepth 1 -name '*.jar' ! -name '*-sources.jar' ! -name '*-javadoc.jar' ! -name '*-plain.jar' "
    "! -name 'original-*' ! -name '*-tests.jar' -exec cp {{}} /out/app.jar ';'"
)
_BUILD_FILES = ("pom.xml", "build.gradle", "build.gradle.kts", "gradle/libs.versions.toml")
_GRADLE_FILES = ("build.gradle", "build.gradle.kts")
_MAIN_CLASS = re.compile(r"\bmainClass(?:Name)?\s*(?:=|\.set\()\s*['\"]([A-Za-z_][\w.$]*)['\"]")
_BOOT = re.compile(
    r"spring-boot-(?:starter-parent|dependencies)</artifactId>\s*<version>(\d+)\.(\d+)"
    r"|org\.springframework\.boot['\"]\)?\s*version\s*['\"](\d+)\.(\d+)|spring-?boot\w*\s*=\s*['\"](\d+)\.(\d+)",
    re.IGNORECASE,
)
_WITH_LAYERS = (3, 3)
_LAYERS = ("/dependencies", "/spring-boot-loader", "/snapshot-dependencies", "/application")
"""In the order in which they change, the rarest first."""
_EXTRACT = chain(
    "mv /out/app.jar /tmp/app.jar",
    "java -Djarmode=tools -jar /tmp/app.jar extract --layers --destination /out",
    f"mkdir -p {' '.join(f'/out{layer}' for layer in _LAYERS)}",
)
_IGNORE = ("**/target", "**/build", "**/.gradle", "**/out", "**/*.class")
_APPLICATION = ("java", "-jar", "/app/app.jar")


def java(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a program on the Java virtual machine."""
    build, command = {"maven": _maven, "gradle": _gradle}.get(app.manager, _javac)(app, bases)
    runtime_base = bases.pick(
        Base(f"eclipse-temurin:{build.base.version}-jre"),
        *(() if build.base.version == "8" else DEBIANS),  # jlink came with Java 9
        rationale="runs what was compiled, and no more",
    )
    declared = app.command() if app.start else None
    layered = _has_layers(app)
    if layered:
        build = Build(build.base, (*build.lines[:-1], chain(build.lines[-1], _EXTRACT)))
    environment = {"JAVA_TOOL_OPTIONS": _OPTIONS} | ({"SERVER_PORT": str(app.port)} if app.port else {})
    own_runtime = runtime_base.usual in {base.reference for base in DEBIANS}
    if own_runtime:
        environment["PATH"] = "/opt/jre/bin:$PATH"
        build = Build(build.base, (*build.lines[:-1], chain(build.lines[-1], _LINK)))
    runtime = RuntimeImage(
        runtime_base,
        command,
        copies=(
            *(("COPY --from=build /opt/jre /opt/jre",) if own_runtime else ()),
            *(f"COPY --from=build /out{folder} /app" for folder in (_LAYERS if layered else ("",))),
        ),
        environment=environment | (dict(declared.environment) if declared else {}),
        packages=runtime_packages(app.packages),
    )
    return Recipe((build,), runtime, ignore=_IGNORE, reasons=_reasons(own_runtime, layered))


def _has_layers(app: App) -> bool:
    """Return whether the project's Spring Boot can take its archive apart: since 3.3."""
    if app.framework != "spring-boot":
        return False
    folders = dict.fromkeys((app.module.path, "."))
    files = [name if folder == "." else f"{folder}/{name}" for folder in folders for name in _BUILD_FILES]
    text = "\n".join(app.tree.text(file) or "" for file in files)
    match = _BOOT.search(text)
    version = [int(part) for part in match.groups() if part] if match else []
    return bool(version) and tuple(version) >= _WITH_LAYERS


def _reasons(own_runtime: bool, layered: bool) -> tuple[Reason, ...]:
    lean = Reason(decision="no JDK in the last stage", rationale="a compiler is of use to an intruder only")
    linked = Reason(decision="jlink", rationale="there is no runtime image, so one is made from the JDK's modules")
    parts = Reason(
        decision="layers of Spring Boot", rationale="a change of the code leaves the dependencies' layer as it was"
    )
    return (lean, *((linked,) if own_runtime else ()), *((parts,) if layered else ()))


def _versions(app: App) -> tuple[str, ...]:
    """Return the Java versions that can build the project: the declared one, then newer ones."""
    plain = re.match(r"(?:1\.)?(\d+)", (app.version or "").strip())
    if plain:
        newer = sorted((version for version in _LONG_TERM if int(version) > int(plain[1])), key=int)
        return (plain[1], *newer)
    return preferred(app.version, _LONG_TERM)


def _jdks(app: App, usual: str = "") -> tuple[Base, ...]:
    """Return the images that can build: those of the build tool, then plain JDKs."""
    versions = _versions(app)
    tools = [Base(usual.format(version), version=version) for version in versions] if usual else []
    return (*tools, *(Base(f"eclipse-temurin:{version}-jdk", version=version) for version in versions))


def _why(app: App) -> str:
    return f"the project asks for Java {app.version}" if app.version else "a Java with long-term support"


def _maven(app: App, bases: Bases) -> tuple[Build, tuple[str, ...]]:
    wrapper = app.tree.exists("mvnw") and app.tree.exists(".mvn/wrapper/maven-wrapper.properties")
    base = bases.pick(*_jdks(app, "" if wrapper else "maven:3.9-eclipse-temurin-{}"), rationale=_why(app))
    tool = "./mvnw" if wrapper else "mvn"
    select = "" if app.module.path == "." else f" -pl {app.module.path} -am"
    collect, command = _maven_output(app, f"{tool} -B{select}")
    lines = (
        *(system_packages(base, ("maven",)) if not wrapper and "maven" not in base.usual else ()),
        "WORKDIR /app",
        *(("COPY .mvn ./.mvn", "COPY mvnw ./") if wrapper else ()),
        *app.copy_manifests(),
        cached("/root/.m2", f"{tool} -B{select} dependency:go-offline"),
        app.copy_source(),
        cached("/root/.m2", chain(f"{tool} -B{select} package -DskipTests", "mkdir /out", *collect)),
    )
    return Build(base, lines), command


def _maven_output(app: App, maven: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the commands that put what was built into /out, and the command that runs it."""
    target = f"{app.folder}/target"
    if app.framework == "quarkus":
        return (f"cp -r {target}/quarkus-app/. /out/",), ("java", "-jar", "/app/quarkus-run.jar")
    jar = _JAR.format(folder=target)
    if app.framework == "spring-boot":
        return (jar,), _APPLICATION
    libraries = f"{maven} dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=/out/lib"
    main = _main_class(app)
    return (jar, libraries), ("java", "-cp", "/app/app.jar:/app/lib/*", main) if main else _APPLICATION


def _gradle(app: App, bases: Bases) -> tuple[Build, tuple[str, ...]]:
    wrapper = app.tree.exists("gradlew") and app.tree.exists("gradle/wrapper/gradle-wrapper.jar")
    base = bases.pick(*_jdks(app, "" if wrapper else "gradle:8-jdk{}"), rationale=_why(app))
    tool = f"{'./gradlew' if wrapper else 'gradle'} --no-daemon"
    project = "" if app.module.path == "." else ":" + app.module.path.replace("/", ":") + ":"
    task, collect, command = _gradle_output(app)
    lines = (
        *(system_packages(base, ("gradle",)) if not wrapper and "gradle" not in base.usual else ()),
        "WORKDIR /app",
        *(("COPY gradlew ./",) if wrapper else ()),
        *(f"COPY {name} ./{name}" for name in ("gradle", "buildSrc", "build-logic") if app.tree.names(name)),
        *app.copy_manifests(),
        cached("/root/.gradle", f"{tool} {project}dependencies"),
        app.copy_source(),
        cached("/root/.gradle", chain(f"{tool} {project}{task}", "mkdir /out", collect)),
    )
    return Build(base, lines), command


def _gradle_output(app: App) -> tuple[str, str, tuple[str, ...]]:
    """Return the task that builds, the command that puts its output into /out, and the command that runs it."""
    output = f"{app.folder}/build"
    if app.framework == "spring-boot":
        return "bootJar", _JAR.format(folder=f"{output}/libs"), _APPLICATION
    main = _main_class(app) or _declared_main(app)
    if main is None and _is_application(app):  # the script that Gradle writes knows it, and replaces itself by java
        rename = "find /out/bin -type f ! -name '*.bat' -exec mv {} /out/bin/app ';'"
        return "installDist", chain(f"cp -r {output}/install/*/. /out/", rename), ("/app/bin/app",)
    return "installDist", f"cp {output}/install/*/lib/*.jar /out/", _class_command(app, "/app/*", main)


def _build_file(app: App) -> str:
    return next((text for name in _GRADLE_FILES if (text := app.tree.text(app.inside(name)))), "")


def _declared_main(app: App) -> str | None:
    match = _MAIN_CLASS.search(_build_file(app))
    return match[1] if match else None


def _is_application(app: App) -> bool:
    """Return whether Gradle's `application` plugin is there, whose `installDist` writes a start script."""
    return re.search(r"['\"`]application['\"`]|^\s*application\s*(?:$|\{)", _build_file(app), re.MULTILINE) is not None


def _javac(app: App, bases: Bases) -> tuple[Build, tuple[str, ...]]:
    base = bases.pick(*_jdks(app), rationale=_why(app))
    libraries = "lib" in app.tree.names(app.module.path)
    classpath = f" -cp '{app.folder}/lib/*'" if libraries else ""
    compile_all = f"find . -name '*.java' -exec javac -encoding UTF-8 -d /out{classpath} {{}} +"
    copied = f"cp -r {app.folder}/lib /out/lib" if libraries else ""
    lines = ("WORKDIR /app", app.copy_source(), *app.enter(), "RUN " + chain("mkdir /out", compile_all, copied))
    return Build(base, lines), _class_command(app, "/app:/app/lib/*" if libraries else "/app", _main_class(app))


def _class_command(app: App, classpath: str, main: str | None) -> tuple[str, ...]:
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
    for place in app.module.start_command.locations:
        file = place.split(":")[0]
        name = file.rsplit("/", 1)[-1]
        if name.endswith((".java", ".kt")):
            return _in_package(app, file, name.removesuffix(".java").replace(".kt", "Kt"))
    return None


def _with_package(app: App, name: str) -> str:
    """Complete a class's bare name by the package that its file declares."""
    if "." in name:
        return name
    for place in app.module.start_command.locations:
        if place.split(":")[0].endswith(f"{name}.java"):
            return _in_package(app, place.split(":")[0], name)
    return name


def _in_package(app: App, file: str, name: str) -> str:
    package = re.search(r"^\s*package\s+([\w.]+)", app.tree.text(file) or "", re.MULTILINE)
    return f"{package[1]}.{name}" if package else name
