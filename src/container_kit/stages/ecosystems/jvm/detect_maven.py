"""Java, Kotlin, Scala and Groovy built by Maven."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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

_VERSION_KEYS = (
    "java.version",
    "maven.compiler.release",
    "maven.compiler.target",
    "maven.compiler.source",
    "jdk.version",
    "javaVersion",
    "java.release",
    "release.version",
)


_PLUGINS = (
    "spring-boot-maven-plugin",
    "quarkus-maven-plugin",
    "micronaut-maven-plugin",
    "liberty-maven-plugin",
    "wildfly-maven-plugin",
    "wildfly-jar-maven-plugin",
    "bootable-jar-maven-plugin",
    "payara-micro-maven-plugin",
    "helidon-maven-plugin",
)
"""Plugins that make a program of a module."""


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read `pom.xml` and those of the parents in the tree."""
    draft.manifests.append("pom.xml")
    draft.locked = True  # a pom names exact versions
    read_language(folder, draft, "pom.xml")
    draft.package_manager.add("maven", "declared", folder.place("pom.xml"))
    pom = folder.xml("pom.xml")
    if pom is None:
        _salvage(folder, draft)
        return
    draft.name = pom.findtext("artifactId") or ""
    properties = _properties(folder, pom)
    _read_dependencies(folder, draft, pom)
    _read_version(folder, draft, pom, properties)
    _claim_start(folder, draft, pom, properties)


def _salvage(folder: Folder, draft: ModuleDraft) -> None:
    for match in re.finditer(r"<artifactId>\s*([\w.-]+)", folder.text("pom.xml")):
        draft.dependencies.setdefault(match[1].lower(), folder.place("pom.xml", match[0]))
    own = re.sub(r"<parent>.*?</parent>", "", folder.text("pom.xml"), flags=re.DOTALL)
    name, version = re.search(r"<artifactId>\s*([\w.-]+)", own), re.search(r"<version>\s*([\w.-]+)", own)
    if name and version and is_application(is_framework(draft), claim_main(folder, draft), plugin=not folder.path):
        draft.name = name[1]
        place = folder.place("pom.xml", name[0])
        draft.start.add(f"java -jar target/{name[1]}-{version[1]}.jar", "framework", place, confidence=0.6)


def _parent(folder: Folder, pom: Any) -> Folder | None:
    if pom.find("parent") is None or not folder.path:
        return None
    above = Folder(folder.tree, folder.path.rpartition("/")[0])
    return above if above.has("pom.xml") else None


def _properties(folder: Folder, pom: Any) -> dict[str, str]:
    above = _parent(folder, pom)
    inherited: dict[str, str] = {}
    if above is not None and (parent := above.xml("pom.xml")) is not None:
        inherited = _properties(above, parent)
    own = {item.tag: (item.text or "").strip() for item in pom.findall("properties/*") if isinstance(item.tag, str)}
    version = pom.findtext("version") or pom.findtext("parent/version")
    return inherited | own | ({"project.version": version} if version else {})


def _read_dependencies(folder: Folder, draft: ModuleDraft, pom: Any) -> None:
    place = _artifact_places(folder)
    for item in pom.findall("dependencies/dependency") + pom.findall("profiles/profile/dependencies/dependency"):
        name = (item.findtext("artifactId") or "").strip()
        if item.findtext("scope") == "test":
            draft.tools.setdefault(name.lower(), place(name))
            continue
        draft.dependencies.setdefault(name.lower(), place(name))
        if known := _framework_artifact(item.findtext("groupId") or "", name):
            draft.dependencies.setdefault(known, place(name))
    for item in pom.findall("build/plugins/plugin"):
        _read_plugin(draft, (item.findtext("artifactId") or "").strip(), place)
    parent = (pom.findtext("parent/artifactId") or "").strip()
    if parent == "micronaut-parent":
        draft.dependencies.setdefault(parent, place(parent))


def _artifact_places(folder: Folder) -> Callable[[str], str]:
    """Return a lookup of the places where `pom.xml` first names artifacts."""
    text, where = folder.text("pom.xml"), folder.place("pom.xml").rpartition(":")[0]
    matches = reversed(list(re.finditer(r"<artifactId>\s*([^<\s]+)", text)))
    lines = {match[1]: text.count("\n", 0, match.start()) + 1 for match in matches}
    return lambda name: f"{where}:{lines.get(name, 1)}"


def _framework_artifact(group: str, name: str) -> str | None:
    if name.startswith(("spring-boot-starter", "spring-cloud-starter")):
        return "spring-boot"
    return stands_for(group, name)


def _read_plugin(draft: ModuleDraft, name: str, place: Callable[[str], str]) -> None:
    draft.tools.setdefault(name, place(name))
    if name == "spring-boot-maven-plugin" or any(name in framework.packages for framework in FRAMEWORKS):
        known = "spring-boot" if name.startswith("spring-boot") else name
        draft.dependencies.setdefault(known, place(name))


def _read_version(folder: Folder, draft: ModuleDraft, pom: Any, properties: dict[str, str]) -> None:
    for key in _VERSION_KEYS:
        if value := properties.get(key):
            draft.version.add(_resolved(value, properties), "declared", folder.place("pom.xml", f"<{key}>"))
    for plugin in pom.findall("build/plugins/plugin"):
        if plugin.findtext("artifactId") == "maven-compiler-plugin":
            for key in ("release", "target", "source"):
                value = plugin.findtext(f"configuration/{key}")
                draft.version.add(
                    _resolved(value or "", properties), "declared", folder.place("pom.xml", "maven-compiler-plugin")
                )


def _resolved(value: str, properties: dict[str, str]) -> str:
    for _ in range(5):
        match = re.search(r"\$\{([\w.-]+)\}", value)
        if not match or match[1] not in properties:
            break
        value = value.replace(match[0], properties[match[1]])
    return value


def _claim_start(folder: Folder, draft: ModuleDraft, pom: Any, properties: dict[str, str]) -> None:
    tool = "./mvnw" if folder.has("mvnw") else "mvn"
    packaging = (pom.findtext("packaging") or "jar").strip()
    draft.build.add(f"{tool} -DskipTests package", "framework", folder.place("pom.xml"), confidence=0.8)
    if "function-maven-plugin" in draft.tools:
        place = folder.place("pom.xml", "function-maven-plugin")
        draft.start.add(f"{tool} function:run", "declared", place, confidence=0.85)
        draft.role.add("web", "declared", place, confidence=0.9)
        return
    framework, main = is_framework(draft), claim_main(folder, draft)
    if packaging == "pom" or (packaging == "jar" and not _runs(folder, draft, framework, main)):
        place = folder.place("pom.xml")
        draft.role.add("library", "declared" if packaging == "pom" else "code", place, confidence=0.85)
        return
    stem, place = _stem(draft, pom, properties), folder.place("pom.xml", "<artifactId>")
    if packaging == "war" and framework != "spring-boot":
        draft.role.add("web", "declared", folder.place("pom.xml", "<packaging>"), confidence=0.9)
        draft.output.add(f"target/{stem}.war", "framework", place)
        draft.port.add(8080, "guess", place, confidence=0.5)
        return
    jar = _jar(folder, pom, properties, framework, f"{stem}.{packaging}")
    draft.start.add(f"java -jar {jar}{_arguments(folder, framework)}", "framework", place, confidence=0.8)
    draft.output.add(jar, "framework", place, confidence=0.8)
    if framework == "spring-boot":
        draft.start.add(f"{tool} spring-boot:run", "framework", place, confidence=0.5)
    elif main and framework != "quarkus":
        draft.start.add(f"java -cp target/classes {main}", "code", place, confidence=0.4)


def _runs(folder: Folder, draft: ModuleDraft, framework: str | None, main: str | None) -> bool:
    plugin = not folder.path or any(name in draft.tools for name in _PLUGINS)
    return is_application(framework, main, plugin=plugin)


def _stem(draft: ModuleDraft, pom: Any, properties: dict[str, str]) -> str:
    """Return the name of the archive without its suffix: `finalName`, else the artifact with its version."""
    version = _resolved(properties.get("project.version", ""), properties)
    final = pom.findtext("build/finalName") or ""
    if not final and pom.findtext("parent/groupId") == "io.helidon.applications":
        final = draft.name  # the default of that parent
    final = _resolved(final, properties).replace("${project.artifactId}", draft.name)
    if final:
        return final
    return f"{draft.name}-{version}" if version and "$" not in version else draft.name


def _arguments(folder: Folder, framework: str | None) -> str:
    settings = folder.first("config.yml", "config.yaml") if framework == "dropwizard" else None
    return f" server {settings}" if settings else ""


def _jar(folder: Folder, pom: Any, properties: dict[str, str], framework: str | None, archive: str) -> str:
    """Return the path of the archive that runs with all its dependencies."""
    stem, _, suffix = archive.rpartition(".")
    if framework == "quarkus":
        return "target/quarkus-app/quarkus-run.jar"
    if framework == "vertx" and "-fat.jar" in folder.text("pom.xml"):
        return f"target/{stem}-fat.jar"
    if framework == "spring-boot":
        return f"target/{archive}"
    return f"target/{_assembled(pom, stem, properties) or stem}.{suffix}"


def _assembled(pom: Any, stem: str, properties: dict[str, str]) -> str | None:
    """Return the name of the jar with all dependencies, if the assembly or shade plugin makes one."""
    for plugin in pom.findall("build/plugins/plugin"):
        settings = [
            found for path in ("configuration", "executions/execution/configuration") for found in plugin.findall(path)
        ]
        values = {item.tag: _resolved((item.text or "").strip(), properties) for block in settings for item in block}
        name = values.get("finalName") or stem
        if plugin.findtext("artifactId") == "maven-assembly-plugin":
            described = [d.text for block in settings for d in block.findall("descriptorRefs/descriptorRef")]
            apart = described and values.get("appendAssemblyId") != "false"
            return f"{name}-{described[0]}" if apart else name
        if plugin.findtext("artifactId") == "maven-shade-plugin" and values.get("finalName"):
            return name
    return None


def workspace(folder: Folder) -> tuple[str, list[str]] | None:
    """Return the modules that a `pom.xml` names."""
    pom = folder.xml("pom.xml") if folder.has("pom.xml") else None
    modules = [(m.text or "").strip() for m in pom.findall("modules/module")] if pom is not None else []
    return ("maven", [m.removeprefix("./").rstrip("/") for m in modules if m]) if modules else None


DETECTORS = (
    Detector(
        "maven",
        describe,
        version_tools=("java",),
        manifests=("pom.xml",),
        frameworks=FRAMEWORKS,
        port_from_config=CONFIGURED,
        workspace=workspace,
        sources=(".java", ".kt", ".scala", ".groovy"),
        settings=(".properties", ".yml", ".yaml"),
        rank=10,
    ),
)
