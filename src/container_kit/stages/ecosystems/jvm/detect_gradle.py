"""Java, Kotlin and Groovy built by Gradle; and plain Java without a build tool."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.jvm.frameworks import (
    CONFIGURED,
    FRAMEWORKS,
    claim_main,
    is_application,
    is_framework,
    read_language,
    stands_for,
)

_BUILD_FILES = ("build.gradle", "build.gradle.kts")
_PLUGIN = re.compile(
    r"""(?:\bid\s*\(?\s*|apply\s+plugin\s*:\s*)['"]([\w.-]+)['"]|\balias\(\s*libs\.plugins\.([\w.]+)\s*\)"""
)
_DEPENDENCY = re.compile(
    r"""\b(\w*[iI]mplementation|api|compile|runtimeOnly|compileOnly|providedCompile|runtime|testImplementation|testCompile)\b
    \s*\(?\s*(?:platform\(|enforcedPlatform\()?\s*(?:['"]([^'":\s]+):([^'":\s]+)|libs\.([\w.]+)|group\s*:\s*['"][^'"]+['"]\s*,\s*name\s*:\s*['"]([^'"]+))""",
    re.VERBOSE,
)
_PLUGINS = (
    "org.springframework.boot",
    "io.quarkus",
    "io.micronaut.application",
    "io.micronaut.minimal.application",
    "io.ktor.plugin",
    "org.grails.grails-web",
    "io.openliberty.tools.gradle.liberty",
    "io.ratpack.ratpack-java",
    "com.typesafe.play",
    "org.playframework.play",
    "war",
    "org.gretty",
)
"""Plugins that make a program of a project."""
_APPLICATION = re.compile(r"mainClass|mainClassName|['\"]application['\"]|^\s*application\b", re.MULTILINE)
_VERSION = re.compile(
    r"""(?:JavaLanguageVersion\.of\(\s*|jvmToolchain\(\s*|JavaVersion\.VERSION_(?:1_)?|(?:source|target)Compatibility\s*=\s*['"]?(?:1\.)?|jvmTarget\s*=\s*['"]|release\s*=\s*)(\d+)"""
)


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read the build file of the folder, its settings and its version catalogue."""
    build = folder.first(*_BUILD_FILES) or folder.first("settings.gradle", "settings.gradle.kts") or ""
    text = folder.text(build)
    draft.manifests.append(build)
    draft.locked = True  # versions are named, though not hashed
    read_language(folder, draft, build, "kotlin" if "kotlin(" in text or "org.jetbrains.kotlin" in text else "java")
    draft.package_manager.add("gradle", "declared", folder.place(build))
    draft.name = _project_name(folder)
    _read_dependencies(folder, draft, build, text)
    if match := _VERSION.search(text):
        draft.version.add(match[1], "declared", folder.place(build, match[0]))
    _claim_start(folder, draft, build, text)


def _project_name(folder: Folder) -> str:
    settings = folder.first("settings.gradle", "settings.gradle.kts")
    match = re.search(r"""rootProject\.name\s*=\s*['"]([^'"]+)""", folder.text(settings))
    return match[1] if match else folder.base


def _read_dependencies(folder: Folder, draft: ModuleDraft, build: str, text: str) -> None:
    where = folder.place(build).rpartition(":")[0]
    for match in _PLUGIN.finditer(text):
        if "apply false" in text[match.end() : text.find("\n", match.end()) + 1 or None]:
            continue
        name = (match[1] or _catalogued(match[2])).lower()
        draft.dependencies.setdefault(name, f"{where}:{_line(text, match)}")
    for match in _DEPENDENCY.finditer(text):
        name = (match[3] or match[5] or _catalogued(match[4] or "")).lower()
        into = draft.tools if match[1].startswith("test") else draft.dependencies
        into.setdefault(name, f"{where}:{_line(text, match)}")
        if into is draft.dependencies and (known := stands_for(match[2] or "", name)):
            into.setdefault(known, f"{where}:{_line(text, match)}")


def _catalogued(alias: str) -> str:
    """Return the usual artifact behind a version catalogue's alias: `libs.ktor.server.core` is `ktor-server-core`."""
    name = alias.replace(".", "-")
    known = {
        "spring-boot": "org.springframework.boot",
        "ktor": "io.ktor.plugin",
        "quarkus": "io.quarkus",
        "micronaut-application": "io.micronaut.application",
    }
    return known.get(name, name)


def _line(text: str, found: re.Match[str]) -> int:
    return text.count("\n", 0, found.start()) + 1


def _shadowed(text: str, stem: str) -> str:
    """Return the name of the jar that the shadow plugin makes: `-all`, or what its block says."""
    _, _, block = text.partition("shadowJar")
    named = re.search(r"""archiveFileName(?:\.set\(|\s*=)\s*['"]([\w.-]+)['"]""", block)
    if named:
        return named[1]
    classified = re.search(r"""(?:archiveClassifier|\bclassifier)(?:\.set\(|\s*=)\s*(?:['"]([\w-]*)['"]|null)""", block)
    suffix = f"-{classified[1]}" if classified and classified[1] else "" if classified else "-all"
    return f"{stem}{suffix}.jar"


def _claim_start(folder: Folder, draft: ModuleDraft, build: str, text: str) -> None:
    tool = _tool(folder)
    place = folder.place(build)
    framework = is_framework(draft)
    main = claim_main(folder, draft)
    plugin = not folder.path or any(name in draft.dependencies for name in _PLUGINS)
    runs = is_application(framework, main, plugin=plugin) or _APPLICATION.search(text)
    if not runs:
        draft.role.add("library", "code", place, confidence=0.8)
        draft.build.add(f"{tool} build -x test", "framework", place)
        return
    version = re.search(r"""^\s*version\s*=?\s*['"]([^'"]+)""", text, re.MULTILINE)
    stem = f"{draft.name}-{version[1]}" if version else draft.name
    jar = _archive(draft, text, stem, framework)
    applies = _APPLICATION.search(text)
    installs = applies and framework not in {"spring-boot", "quarkus"} and not _carries_all(draft, text)
    task = "installDist" if installs else _jar_task(draft, text, framework)
    draft.build.add(f"{tool} {task}", "framework", place, confidence=0.8)
    draft.output.add("build/install" if installs else jar, "framework", place)
    draft.start.add(f"java -jar {jar}", "framework", place, confidence=0.5 if installs else 0.78)
    draft.start.add(
        f"{tool} {'bootRun' if framework == 'spring-boot' else 'run'}",
        "framework",
        place,
        confidence=0.77 if applies else 0.5,
    )


def _tool(folder: Folder) -> str:
    """Return the wrapper, which the projects of a build share, or the machine's Gradle."""
    above = folder.path
    while above and not folder.tree.exists(f"{above}/gradlew"):
        above = above.rpartition("/")[0]
    if not folder.tree.exists(f"{above}/gradlew" if above else "gradlew"):
        return "gradle"
    steps = folder.path.removeprefix(above).strip("/")
    return "../" * (steps.count("/") + 1) + "gradlew" if steps else "./gradlew"


def _archive(draft: ModuleDraft, text: str, stem: str, framework: str | None) -> str:
    """Return the path of the archive that runs with its dependencies."""
    if framework == "quarkus":
        return "build/quarkus-app/quarkus-run.jar"
    if framework == "spring-boot":
        return f"build/libs/{stem}.{'war' if 'war' in draft.dependencies else 'jar'}"
    if "io.ktor.plugin" in draft.dependencies:
        return f"build/libs/{draft.name}-all.jar"
    return f"build/libs/{_shadowed(text, stem) if 'shadow' in text else f'{stem}.jar'}"


def _carries_all(draft: ModuleDraft, text: str) -> bool:
    """Return whether the jar contains its libraries."""
    return "io.ktor.plugin" in draft.dependencies or "shadow" in text or "Main-Class" in text


def _jar_task(draft: ModuleDraft, text: str, framework: str | None) -> str:
    if "io.ktor.plugin" in draft.dependencies:
        return "buildFatJar"
    boot = "bootWar" if "war" in draft.dependencies else "bootJar"
    task = {"spring-boot": boot, "quarkus": "build"}.get(framework or "", "")
    return task or ("shadowJar" if "shadow" in text else "build -x test")


def workspace(folder: Folder) -> tuple[str, list[str]] | None:
    """Return the projects that the settings file includes."""
    settings = folder.first("settings.gradle", "settings.gradle.kts")
    text = folder.text(settings)
    statements = re.findall(r"^\s*include\b\s*\(?((?:\s*['\"][^'\"]+['\"]\s*,?)+)", text, re.MULTILINE)
    names = [name for statement in statements for name in re.findall(r"['\"]([^'\"]+)['\"]", statement)]
    return ("gradle", [name.strip(":").replace(":", "/") for name in names]) if names else None


DETECTORS = (
    Detector(
        "gradle",
        describe,
        version_tools=("java",),
        manifests=("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"),
        frameworks=FRAMEWORKS,
        port_from_config=CONFIGURED,
        workspace=workspace,
        sources=(".java", ".kt", ".groovy"),
        settings=(".properties", ".yml", ".yaml"),
        rank=11,
    ),
)
