""".NET: the declaration."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.dotnet import lockfiles, workspace
from container_kit.stages.ecosystems.dotnet.detect import DETECTORS
from container_kit.stages.ecosystems.dotnet.recipe import dotnet, publish
from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language, PackageManager, SiteBuild
from container_kit.stages.ecosystems.facets.dependencies.package_registry import (
    LockCommand,
    LockFile,
    LockRequirement,
    PackageRegistry,
)

_REFERENCE = re.compile(r"<PackageReference\b")
_NUGET = PackageRegistry(
    purl_type="nuget",
    osv="NuGet",
    version_scheme="NugetVersion",
    manifests=("*.csproj", "*.fsproj", "Directory.Packages.props", "packages.config"),
    requirement=r"(?:Include|id)\s*=\s*\"{name}\"",
    lock_files=(
        LockFile(
            "packages.lock.json",
            lockfiles.nuget,
            LockCommand(
                ("*.csproj", "*.fsproj", "Directory.Packages.props"),
                "dotnet restore --force-evaluate",
                force="a separate `PackageReference`",
            ),
        ),
        LockFile("packages.config", lockfiles.config),
        LockFile("Directory.Packages.props", lockfiles.central),
    ),
    manifest_readers={"*.csproj": lockfiles.project, "*.fsproj": lockfiles.project},
    lock_requirements=(
        LockRequirement("*.csproj", _REFERENCE, ("packages.lock.json",)),
        LockRequirement("*.fsproj", _REFERENCE, ("packages.lock.json",)),
    ),
    normalize=str.lower,
)
_SITE = SiteBuild(publish, output="/out/wwwroot")  # Blazor WebAssembly: everything that the browser loads

ECOSYSTEM = Ecosystem(
    "dotnet",
    detectors=DETECTORS,
    languages=(
        Language(
            "csharp",
            dotnet,
            _SITE,
            needs_manifest=True,
            compiled=True,
            end_of_life="dotnet",
            images=("sdk", "aspnet"),
        ),
        Language("fsharp", dotnet, _SITE, needs_manifest=True, compiled=True, end_of_life="dotnet"),
    ),
    managers=(PackageManager("nuget", workspace.read),),
    packages=_NUGET,
    unread_lock_files=("paket.lock",),
    tool_folders=(".vs",),
)
