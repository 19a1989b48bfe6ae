"""Java, Kotlin, Scala and Clojure: the declaration."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language, PackageManager
from container_kit.stages.ecosystems.facets.dependencies.package_registry import (
    LockCommand,
    LockFile,
    LockRequirement,
    PackageRegistry,
    multiline,
)
from container_kit.stages.ecosystems.facets.detection.plain_sources import PlainLanguage, plain_detector
from container_kit.stages.ecosystems.jvm import (
    detect_gradle,
    detect_java,
    detect_maven,
    detect_scala_clojure,
    lockfiles,
    workspace_gradle,
    workspace_maven,
)
from container_kit.stages.ecosystems.jvm.recipe import java
from container_kit.stages.ecosystems.jvm.recipe_scala_clojure import clojure, scala

_KOTLIN = PlainLanguage(
    "kotlin",
    (".kt",),
    ("Main", "main", "App"),
    "java -jar {stem}.jar",
    "kotlinc {file} -include-runtime -d {stem}.jar",
    74,
)
_SCALA = PlainLanguage("scala", (".scala", ".sc"), ("Main", "main", "App"), "scala {file}", rank=74)


def _artifact_pattern(name: str) -> str:
    """Return the expression for the artifact, which manifests name apart from its group."""
    return re.escape(name.rpartition(":")[2])


_MAVEN = PackageRegistry(
    purl_type="maven",
    osv="Maven",
    version_scheme="MavenVersion",
    manifests=("pom.xml", "build.gradle", "build.gradle.kts", "libs.versions.toml"),
    requirement=r"<artifactId>\s*{name}\s*<|[:\"']{name}[:\"']",
    lock_files=(
        LockFile(
            "gradle.lockfile",
            lockfiles.gradle,
            LockCommand(
                ("build.gradle", "build.gradle.kts", "libs.versions.toml"),
                "gradle dependencies",
                "--update-locks {name}",
                force="a constraint in `dependencies`",
            ),
        ),
        LockFile("buildscript-gradle.lockfile", lockfiles.gradle),
        LockFile("pom.xml", lockfiles.maven),
    ),
    manifest_readers={
        "build.gradle": lockfiles.script,
        "build.gradle.kts": lockfiles.script,
        "libs.versions.toml": lockfiles.catalog,
    },
    lock_requirements=(
        LockRequirement(
            "build.gradle*",
            multiline(r"^[ \t]*\w*(?:[iI]mplementation|[aA]pi|[cC]ompile|[rR]untimeOnly|[cC]ompileOnly)\b\s*[(\"']"),
            ("gradle.lockfile",),
        ),
        LockRequirement("libs.versions.toml", multiline(r"^\[libraries\]"), ("gradle.lockfile",)),
    ),
    name_separator=":",
    name_pattern=_artifact_pattern,
)

ECOSYSTEM = Ecosystem(
    "jvm",
    detectors=(
        *detect_gradle.DETECTORS,
        *detect_java.DETECTORS,
        *detect_maven.DETECTORS,
        *detect_scala_clojure.DETECTORS,
        plain_detector(_KOTLIN),
        plain_detector(_SCALA),
    ),
    languages=(
        Language("java", java, compiled=True, images=("openjdk", "eclipse-temurin", "maven", "gradle")),
        Language("kotlin", java, compiled=True, needs_manifest=True, end_of_life="java"),
        Language("scala", scala, needs_manifest=True),
        Language("clojure", clojure, compiled=True),
    ),
    managers=(
        PackageManager("maven", workspace_maven.read),
        PackageManager("gradle", workspace_gradle.read),
    ),
    packages=_MAVEN,
    tool_folders=(".gradle", ".cpcache", ".bloop", ".metals"),
    dependency_folders=(".gradle",),
)
