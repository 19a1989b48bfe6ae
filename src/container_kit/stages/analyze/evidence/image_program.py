"""Check that the file that an image's command runs is copied into the image or created in the build."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.dockerfile_facts import DockerfileFacts
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

_RUNS = re.compile(
    r"(?:node|bun|tsx|ts-node|python3?|ruby|php)\s+(?:--?[\w=-]+\s+)*([\w./-]+\.(?:[cm]?[jt]s|py|rb|php))(?:\s.*)?"
)
_STOCK = re.compile(r"(?:docker\.io/)?(?:library/)?(?:node|python|ruby|php|oven/bun|alpine|debian|ubuntu)(?::[\w.-]+)?")
_INSTALLS = re.compile(
    r"(?:npm (?:ci|i|install|cache)|yarn(?:$| install| --)|pnpm (?:i|install)|bun (?:i|install)|corepack"
    r"|(?:python3? -m )?pip3? install|uv (?:sync|pip)|poetry (?:install|config)|pipenv (?:install|sync)"
    r"|bundle (?:install|config)|gem install|composer install|apt(?:-get)? |apk |rm |mkdir |chown |chmod |set -"
    r"|(?:user|group)add |add(?:user|group) )"
)
_MAKES = re.compile(r"build|compile|transpile|bundle|tsc|install|prepare|p(?:re|ost)\w+")


def missing_program(folder: Folder, facts: DockerfileFacts) -> str | None:
    """Return the file that an image's command runs, if the tree does not have it and no step can create it."""
    found = _RUNS.fullmatch(facts.command[0]) if facts.command else None
    if found is None or not all(_STOCK.fullmatch(base) for base in facts.bases):
        return None
    steps = [step.strip() for run in facts.runs for step in re.split(r"&&|;", run)]
    scripts = folder.json("package.json").get("scripts") if folder.has("package.json") else None
    if any(step and not _INSTALLS.match(step) for step in steps) or (
        isinstance(scripts, dict) and any(_MAKES.match(str(name)) for name in scripts)
    ):
        return None
    if folder.matching("tsconfig*.json", "*.config.*", "Makefile", "*file.js"):
        return None
    file = found[1].rpartition("/")[2]
    if "node_modules/" in found[1] or any(file in listing.files for listing in folder.tree.folders.values()):
        return None
    inner = [part for part in found[1].split("/")[:-1] if part not in {"", "."}]
    rules = folder.tree.folders[""].rules
    return None if rules is not None and any(rules.ignores(part, part, folder=True) for part in inner) else found[1]
