"""OpenJDK where the public images of Eclipse Temurin have it."""

from __future__ import annotations

from base_images.recipe import BOOKWORM, CLEAN, INSTALL, TRIXIE, Recipe


def _java(version: str, kind: str, suite: str, base: str) -> Recipe:
    package = f"openjdk-{version}-{kind}-headless"
    command = 'CMD ["jshell"]\n' if kind == "jdk" else ""
    return Recipe(
        f"eclipse-temurin:{version}-{kind}",
        f"the Debian {suite} package {package}",
        f"""FROM {base}
RUN mkdir -p /usr/share/man/man1 /opt/java && {INSTALL} {package} && {CLEAN} \\
 && ln -s /usr/lib/jvm/java-{version}-openjdk-* /opt/java/openjdk
ENV JAVA_HOME=/opt/java/openjdk PATH=/opt/java/openjdk/bin:$PATH LANG=C.UTF-8
{command}""",
        versions={
            "JAVA_VERSION": """sed -n 's/^JAVA_RUNTIME_VERSION="\\([0-9.+]*\\).*/jdk-\\1/p' $JAVA_HOME/release"""
        },
    )


RECIPES = tuple(
    _java(version, kind, suite, base)
    for version, suite, base in (("17", "bookworm", BOOKWORM), ("21", "trixie", TRIXIE), ("25", "trixie", TRIXIE))
    for kind in ("jdk", "jre")
)
