"""A language that does not exist, as a package outside of Container Kit would add it: one folder, one entry point.

Glint's sources are Perl, which `debian:bookworm-slim` has, so that its applications really run.
"""

from __future__ import annotations

from pathlib import Path

DECLARATION = '''
"""Glint: everything that Container Kit needs to know of it."""

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language, PackageManager
from container_kit.stages.ecosystems.facets.dependencies.lockfile import Unread
from container_kit.stages.ecosystems.facets.dependencies.package_registry import (
    LockCommand,
    LockFile,
    LockRequirement,
    PackageRegistry,
    multiline,
)
from container_kit.stages.ecosystems.facets.dependencies.packages import Package
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.generation.base_images import Base
from container_kit.stages.ecosystems.facets.generation.recipe import Build, Recipe, RuntimeImage, cached
from container_kit.stages.ecosystems.facets.generation.apt_packages import runtime_packages
from container_kit.stages.ecosystems.facets.generation.workspace import PackageWorkspace, WorkspaceMember


def describe(folder, draft):
    data, place = folder.toml("glint.toml"), folder.place("glint.toml")
    draft.manifests.extend(name for name in ("glint.toml", "glint.lock") if folder.has(name))
    draft.locked = folder.has("glint.lock")
    draft.name = data["name"]
    draft.language.add("glint", "declared", place)
    draft.package_manager.add("glintup", "declared", place)
    draft.dependencies.update({name: folder.place("glint.toml", name) for name in data.get("dependencies", {})})
    draft.start.add("perl main.glint", "declared", folder.place("main.glint"))


def recipe(app, bases):
    base = bases.pick(Base("debian:bookworm-slim"), rationale="it runs Glint")
    install = cached("/root/.cache/glint", "touch /root/.cache/glint/fetched")
    build = Build(base, ("WORKDIR /app", *app.copy_manifests(), install, app.copy_source()))
    runtime = RuntimeImage(
        base,
        app.command().arguments,
        copies=("COPY --from=build /app /app",),
        packages=runtime_packages(app.packages),
        workdir=app.folder,
    )
    return Recipe((build,), runtime, ignore=("**/.glint",), reasons=(Reason(decision="glint", rationale="invented"),))


def read_lock(text):
    for number, line in enumerate(text.splitlines(), start=1):
        name, _, version = line.partition(" ")
        yield Package("glint", name, version, line=number) if version else Unread(f"{name} has no version", number)


def read_workspace(tree):
    folders = [path.rpartition("/")[0] for path in tree.files("*/glint.toml")]
    members = [WorkspaceMember(folder, f"{folder}/glint.toml", folder, frozenset()) for folder in folders]
    return PackageWorkspace(tuple(members), ties_all=False) if tree.exists("glint.work") else None


ECOSYSTEM = Ecosystem(
    "glint",
    detectors=(
        Detector(
            "glint",
            describe,
            manifests=("glint.toml",),
            frameworks=(Framework("sparkle", ("sparkle",), 4321),),
            sources=(".glint",),
            rank=5,
            version_tools=("glintlang",),
            system_packages={"sparkle": ("netbase",)},
        ),
    ),
    languages=(Language("glint", recipe, needs_manifest=True, end_of_life="node", images=("glintlang",)),),
    managers=(PackageManager("glintup", read_workspace),),
    packages=PackageRegistry(
        purl_type="glint",
        osv="Glint",
        version_scheme="SemverVersion",
        manifests=("glint.toml",),
        requirement=r"^{name}\\\\s*=",
        lock_files=(LockFile("glint.lock", read_lock, LockCommand(("glint.toml",), "glintup update", "{name}")),),
        lock_requirements=(LockRequirement("glint.toml", multiline(r"^\\\\[dependencies\\\\]"), ("glint.lock",)),),
        normalize=str.lower,
    ),
    unread_lock_files=("glint.oldlock",),
    tool_folders=(".glint",),
    dependency_folders=("glint_packages",),
)
'''.replace("\\\\\\\\", "\\\\").replace("\\\\", "\\")

APPLICATION = {
    "glint.toml": 'name = "shop"\n[dependencies]\nsparkle = "^1.0"\n',
    "glint.lock": "sparkle 1.0.0\n",
    ".tool-versions": "glintlang 18.1.0\n",
    "main.glint": r"""
use Socket;
socket(my $server, PF_INET, SOCK_STREAM, getprotobyname('tcp')) or die $!;
setsockopt($server, SOL_SOCKET, SO_REUSEADDR, pack('l', 1));
bind($server, sockaddr_in($ENV{PORT}, INADDR_ANY)) or die $!;
listen($server, 5);
while (accept(my $client, $server)) {
    sysread($client, my $request, 4096);
    syswrite($client, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 16\r\n\r\nhello from glint");
    close $client;
}
""",
}


def install(site: Path) -> None:
    """Write the package, with the metadata that an installer leaves, into a folder of the module path."""
    (site / "glint_for_container_kit").mkdir()
    (site / "glint_for_container_kit/__init__.py").write_text(DECLARATION)
    metadata = site / "glint_for_container_kit-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: glint-for-container-kit\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[container_kit.ecosystems]\nglint = glint_for_container_kit:ECOSYSTEM\n"
    )


def write_application(root: Path) -> Path:
    """Write an application of Glint."""
    root.mkdir()
    for name, content in APPLICATION.items():
        (root / name).write_text(content)
    return root
