"""Ruby: the declaration."""

from __future__ import annotations

from container_kit.stages.ecosystems.facets.declaration import Ecosystem, Language, SiteBuild
from container_kit.stages.ecosystems.facets.dependencies.package_registry import (
    LockCommand,
    LockFile,
    LockRequirement,
    PackageRegistry,
    multiline,
)
from container_kit.stages.ecosystems.ruby import lockfiles
from container_kit.stages.ecosystems.ruby.detect import DETECTORS
from container_kit.stages.ecosystems.ruby.recipe import build_site, ruby

_GEM = multiline(r"^[ \t]*gem\s")
_RUBYGEMS = PackageRegistry(
    purl_type="gem",
    osv="RubyGems",
    version_scheme="RubygemsVersion",
    manifests=("Gemfile", "gems.rb", "*.gemspec"),
    requirement=r"\b(?:gem|add\w*_dependency)\s*\(?\s*[\"']{name}[\"']",
    lock_files=(
        LockFile("Gemfile.lock", lockfiles.bundler, LockCommand(("Gemfile", "*.gemspec"), "bundle update", "{name}")),
        LockFile("gems.locked", lockfiles.bundler, LockCommand(("gems.rb", "*.gemspec"), "bundle update", "{name}")),
    ),
    lock_requirements=(
        LockRequirement("Gemfile", _GEM, ("Gemfile.lock",)),
        LockRequirement("gems.rb", _GEM, ("gems.locked",)),
    ),
)

ECOSYSTEM = Ecosystem(
    "ruby",
    detectors=DETECTORS,
    languages=(Language("ruby", ruby, SiteBuild(build_site), images=("ruby",)),),
    packages=_RUBYGEMS,
    dependency_folders=("vendor",),
)
