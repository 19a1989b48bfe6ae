"""Make well-known base images from Debian, PyPI and npm packages, on a machine whose engine can pull none.

    .venv/bin/python scripts/base_images.py [NAME …] [--all] [--missing]

Each has the name of the public image, and a label that says that it was made here and of which packages; the
differences are in docs/base-images.md. An existing image is left alone, and so is a name that a registry has.
"""

from __future__ import annotations

import argparse
import sys

import anyio
import docker
from base_images.builder import exists, make_all
from base_images.catalog import DEFAULT, RECIPES
from base_images.recipe import CannotMake
from base_images.registries import without_pullable

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.engine import DockerEngine


def main() -> int:
    """Make the missing images; return 1 if one cannot be made."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RECIPES)}")
    parser.add_argument("--all", action="store_true", help=f"every image; without names: {', '.join(DEFAULT)}")
    parser.add_argument("--missing", action="store_true", help="only print the names of those that would be made")
    arguments = parser.parse_args()
    names: list[str] = arguments.names or list(RECIPES if arguments.all else DEFAULT)
    if unknown := set(names) - RECIPES.keys():
        parser.error(f"no recipe for {', '.join(sorted(unknown))}")
    engine = DockerEngine(timeout=600)
    try:
        anyio.run(engine.call, lambda api: _supply(api, names, only_print=arguments.missing))
    except (CannotMake, StageFailure) as error:
        print(f"base images: {error}", file=sys.stderr)
        return 1
    finally:
        engine.close()
    return 0


def _supply(api: docker.APIClient, names: list[str], *, only_print: bool) -> None:
    absent = [name for name in _with_parents(names) if not exists(api, name)]
    wanted = without_pullable(absent)
    if only_print:
        for name in wanted:
            print(name)
    elif wanted:
        make_all(api, {name: RECIPES[name] for name in wanted})


def _with_parents(names: list[str]) -> list[str]:
    """Return the names, each after the images that it is built from."""
    ordered: dict[str, None] = {}
    for name in names:
        ordered.update(dict.fromkeys([*_with_parents(sorted(RECIPES[name].parents)), name]))
    return list(ordered)


if __name__ == "__main__":
    sys.exit(main())
