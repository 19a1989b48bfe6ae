"""What the JVM's languages share: frameworks by their artifacts, the language of the sources, the main class."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

FRAMEWORKS = (
    Framework(
        "spring-boot",
        (
            "org.springframework.boot",
            "spring-boot-starter",
            "spring-boot-starter-web",
            "spring-boot-starter-webflux",
            "spring-boot-starter-parent",
            "spring-boot-starter-webmvc",
            "spring-boot",
        ),
        8080,
    ),
    Framework(
        "quarkus",
        (
            "io.quarkus",
            "quarkus-rest",
            "quarkus-resteasy",
            "quarkus-resteasy-reactive",
            "quarkus-core",
            "quarkus-arc",
            "quarkus-bom",
        ),
        8080,
    ),
    Framework(
        "micronaut",
        (
            "io.micronaut",
            "io.micronaut.application",
            "micronaut-http-server-netty",
            "micronaut-http-server",
            "micronaut-parent",
            "micronaut-runtime",
            "io.micronaut.minimal.application",
        ),
        8080,
    ),
    Framework("helidon", ("helidon-webserver", "helidon-microprofile", "helidon-se", "helidon-mp"), 8080),
    Framework(
        "ktor",
        (
            "io.ktor.plugin",
            "ktor-server-core",
            "ktor-server-netty",
            "ktor-server-core-jvm",
            "ktor-server-netty-jvm",
            "ktor-server-cio",
        ),
        8080,
    ),
    Framework("http4k", ("http4k-core",), 8000),
    Framework("vertx", ("io.vertx.vertx-plugin", "vertx-core", "vertx-web"), 8888),
    Framework("dropwizard", ("dropwizard-core",), 8080),
    Framework("javalin", ("javalin", "javalin-bundle"), 7000),
    Framework("spark", ("spark-core", "spark-kotlin"), 4567),
    Framework("ratpack", ("io.ratpack.ratpack-java", "ratpack-core"), 5050),
    Framework("play", ("com.typesafe.play", "org.playframework.play", "play"), 9000),
    Framework(
        "grails",
        ("org.grails.grails-web", "org.grails.grails-gradle-plugin", "grails-core", "org.grails.grails-app"),
        8080,
    ),
    Framework("open-liberty", ("liberty-maven-plugin", "io.openliberty.tools.gradle.liberty"), 9080),
    Framework("wildfly", ("wildfly-maven-plugin", "wildfly-jar-maven-plugin", "bootable-jar-maven-plugin"), 8080),
    Framework("payara", ("payara-micro-maven-plugin",), 8080),
    Framework("tomcat", ("tomcat-embed-core", "tomcat7-maven-plugin", "webapp-runner"), 8080),
    Framework("jetty", ("jetty-server", "jetty-maven-plugin", "org.gretty"), 8080),
    Framework("undertow", ("undertow-core",), 8080),
    Framework("spring", ("spring-webmvc", "spring-web", "spring-webflux"), 8080),
    Framework("jersey", ("jersey-server", "jersey-container-grizzly2-http"), 8080),
    Framework("functions-framework", ("functions-framework-api",), 8080),
    Framework("servlet", ("javax.servlet-api", "jakarta.servlet-api", "servlet-api"), 8080),
)


def stands_for(group: str, artifact: str) -> str | None:
    """Return the package of the table that any artifact of a framework's group stands for."""
    if group == "io.quarkus" or (group == "io.micronaut" and artifact.startswith(("http-server", "runtime"))):
        return group
    return "dropwizard-core" if group == "io.dropwizard" else None


_MAIN = re.compile(
    r"static\s+(?:final\s+)?void\s+main\s*\(|^\s*(?:suspend\s+)?fun\s+main\s*\(|\bobject\s+\w+\s+extends\s+(?:App|IOApp|ZIOApp\w*|cask\.Main\w*)\b"
    r"|def\s+main\s*\(|^\s*void\s+main\s*\(|@main\s+def|\(:gen-class"
    r"|class\s+\w+\s+extends\s+(?:[\w.]+\.)?(?:AbstractVerticle|VerticleBase)\b|class\s+\w+\s*:\s*CoroutineVerticle",
    re.MULTILINE,
)
_LANGUAGES = (
    ("kotlin", "src/main/kotlin", ".kt"),
    ("scala", "src/main/scala", ".scala"),
    ("groovy", "src/main/groovy", ".groovy"),
    ("clojure", "src/main/clojure", ".clj"),
    ("java", "src/main/java", ".java"),
)


_TESTS = re.compile(r"(?:^|/)src/(?!main/)\w*[-_]?[tT]est\w*/")


def read_language(folder: Folder, draft: ModuleDraft, manifest: str, usual: str = "java") -> None:
    """Claim the language by the sources: each has its own folder."""
    counts = {
        name: sum(_TESTS.search(path) is None for path in folder.files(suffix, limit=200, depth=14))
        for name, _, suffix in _LANGUAGES
    }
    most = max(counts, key=lambda name: counts[name])
    draft.language.add(most if counts[most] else usual, "declared", folder.place(manifest))


def main_class(folder: Folder) -> tuple[str, str] | None:
    """Return the fully qualified class that has the main method, and its place."""
    for path in folder.files(".java", ".kt", ".scala", ".groovy", limit=120, depth=14):
        text = folder.source(path)
        match = _MAIN.search(text)
        if match and "/test/" not in f"/{path}":
            package = re.search(r"^\s*package\s+([\w.]+)", text, re.MULTILINE)
            name = path.rpartition("/")[2].partition(".")[0] + ("Kt" if path.endswith(".kt") else "")
            return (f"{package[1]}." if package else "") + name, folder.place(path, match[0])
    return None


def claim_main(folder: Folder, draft: ModuleDraft) -> str | None:
    """Claim the entry point; return its class."""
    main = main_class(folder)
    if main is None:
        return None
    draft.entrypoint.add(main[0], "code", main[1])
    return main[0]


_STARTS_ITSELF = {
    "spring-boot",
    "quarkus",
    "micronaut",
    "grails",
    "open-liberty",
    "wildfly",
    "payara",
    "play",
    "helidon",
    "ktor",
}
"""Frameworks whose build plugin or parent makes an application of a module; of the others a library may depend too."""


CONFIGURED = frozenset(["spring-boot", "quarkus", "micronaut", "grails", "open-liberty", "play", "helidon"])
"""Frameworks whose port is said in configuration."""


def is_application(framework: str | None, main: str | None, *, plugin: bool) -> bool:
    """Return whether a module is an application: it has a main class or the framework's plugin.

    Args:
        framework: What it depends on.
        main: Its main class.
        plugin: True if the build makes a program of it, or it is the only project.
    """
    return main is not None or (framework in _STARTS_ITSELF and plugin)


def is_framework(draft: ModuleDraft) -> str | None:
    """Return the first framework that is a dependency."""
    return next((f.name for f in FRAMEWORKS if any(name in draft.dependencies for name in f.packages)), None)
