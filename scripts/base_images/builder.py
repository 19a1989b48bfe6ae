"""Building of images from recipes, on an engine that can pull none."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from graphlib import TopologicalSorter
from pathlib import Path

import docker
from docker.errors import ImageNotFound

from base_images.processes import last_lines
from base_images.recipe import CLEAN, DOWNLOAD_STAGE, INSTALL, CannotMake, Recipe

MADE_HERE = "io.container-kit.base-image.local"
MADE_FROM = "io.container-kit.base-image.source"

_FILES = Path(__file__).parent / "files"
_CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_INDEX_VARIABLES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "NPM_CONFIG_REGISTRY")
_ROOT_FILES = "ADD rootfs.tar /"


def exists(api: docker.APIClient, name: str) -> bool:
    """Return whether the engine has an image of this name."""
    with contextlib.suppress(ImageNotFound):
        api.inspect_image(name)
        return True
    return False


def make_all(api: docker.APIClient, recipes: Mapping[str, Recipe]) -> None:
    """Make the images, each after those that it is built from, two at a time."""
    _check_machine(api)
    order = TopologicalSorter({name: recipe.parents & recipes.keys() for name, recipe in recipes.items()})
    order.prepare()
    with ThreadPoolExecutor(2) as pool:
        while order.is_active():
            ready = order.get_ready()
            list(pool.map(lambda name: _make(api, recipes[name]), ready))
            order.done(*ready)


def _check_machine(api: docker.APIClient) -> None:
    if shutil.which("mmdebstrap") is None or os.geteuid() != 0:
        raise CannotMake(
            "no registry answers, and to make base images here, root and the package mmdebstrap are needed"
        )
    theirs, ours = api.info()["Architecture"], platform.machine()
    if theirs != ours:
        raise CannotMake(f"no registry answers, and images made on {ours} do not run on the engine's {theirs}")


def _make(api: docker.APIClient, recipe: Recipe) -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="container-kit-base-") as folder:
        context = Path(folder)
        if recipe.prepare:
            recipe.prepare(context)
        for file in recipe.files:
            shutil.copy(_FILES / file, context)
        (context / "Dockerfile").write_text(_add_certificates(api, context, recipe.dockerfile))
        image = _build(api, recipe, context)
    versions = _read_versions(api, image, recipe.versions)
    _name(api, recipe, image, versions)
    if DOWNLOAD_STAGE in recipe.dockerfile:
        api.prune_images(filters={"dangling": True, "label": [DOWNLOAD_STAGE]})
    print(f"  made {recipe.name} from {recipe.made_from} ({time.monotonic() - started:.0f} s)", flush=True)


def _add_certificates(api: docker.APIClient, context: Path, dockerfile: str) -> str:
    """Have the image trust what this machine trusts beyond the public authorities: a company's proxy, for example.

    Images that were made here have this from the image that they are built from.
    """
    instructions = "\n".join([*_index_settings(), *_certificate_instructions(context)])
    lines: list[str] = []
    stages: set[str] = set()
    for line in dockerfile.splitlines():
        lines.append(line)
        image, stage = ((re.match(r"FROM (\S+)(?: AS (\S+))?", line) or [""] * 3)[group] for group in (1, 2))
        from_outside = image not in {"", "scratch", *stages} and not _is_made_here(api, image)
        if instructions and (line == _ROOT_FILES or from_outside):
            lines.append(instructions)
        stages.add(stage)
    return "\n".join(lines) + "\n"


def _is_made_here(api: docker.APIClient, name: str) -> bool:
    return exists(api, name) and MADE_HERE in (api.inspect_image(name)["Config"]["Labels"] or {})


def _certificate_instructions(context: Path) -> list[str]:
    certificates = list(_private_certificates())
    if not certificates:
        return []
    folder = context / "certificates"
    folder.mkdir()
    for number, certificate in enumerate(certificates):
        (folder / f"host-{number}.crt").write_text(certificate)
    variables = " ".join(f"{name}={_CA_BUNDLE}" for name in _CA_VARIABLES)
    install = f"(command -v update-ca-certificates >/dev/null || {{ {INSTALL} ca-certificates && {CLEAN}; }})"
    return [
        "COPY certificates/ /usr/local/share/ca-certificates/",
        f"ENV {variables}",
        f"RUN {install} && update-ca-certificates",
    ]


def _private_certificates() -> Iterator[str]:
    public: set[str] = set()
    for file in Path("/usr/share/ca-certificates").rglob("*.crt"):
        public.update(_certificates(file))
    bundle = Path(os.environ.get("SSL_CERT_FILE") or _CA_BUNDLE)
    yield from dict.fromkeys(certificate for certificate in _certificates(bundle) if certificate not in public)


def _certificates(file: Path) -> list[str]:
    try:
        text = file.read_text("utf-8", "replace")
    except OSError:
        return []
    return re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", text.replace("\r", ""), re.DOTALL)


def _index_settings() -> list[str]:
    """Return the package indexes of this machine's environment, without those that hold a password."""
    settings = {name: os.environ[name] for name in _INDEX_VARIABLES if os.environ.get(name)}
    return [f'ENV {name}="{value}"' for name, value in settings.items() if "@" not in value]


def _build(api: docker.APIClient, recipe: Recipe, context: Path) -> str:
    """Build an image without a name and return its ID."""
    proxies = {name: os.environ[name] for name in _PROXY_VARIABLES if os.environ.get(name)}
    records = api.build(path=str(context), buildargs=proxies, network_mode="host", rm=True, forcerm=True, decode=True)
    log: list[str] = []
    image = ""
    for record in records:
        log.append(record.get("stream", ""))
        image = record.get("aux", {}).get("ID", image)
        if "error" in record:
            raise CannotMake(f"{recipe.name}: {record['error']}\n{''.join(log)[-2000:]}")
    return image


def _read_versions(api: docker.APIClient, image: str, commands: Mapping[str, str]) -> dict[str, str]:
    """Return the versions that the programs in the image report."""
    versions: dict[str, str] = {}
    for variable, command in commands.items():
        container = api.create_container(image, ["-ec", command], entrypoint="sh", host_config=_no_network(api))
        try:
            api.start(container)
            status = api.wait(container, timeout=60)["StatusCode"]
            printed = api.logs(container, stderr=status != 0).decode()
        finally:
            api.remove_container(container, force=True, v=True)
        if status != 0:
            raise CannotMake(f"{command} fails in the image: {last_lines(printed)}")
        versions[variable] = printed.strip()
    return versions


def _no_network(api: docker.APIClient) -> dict[str, object]:
    return dict(api.create_host_config(network_mode="none"))


def _name(api: docker.APIClient, recipe: Recipe, image: str, versions: Mapping[str, str]) -> None:
    """Add labels and versions to the image, and give it its name."""
    labels = {MADE_HERE: "true", MADE_FROM: recipe.made_from}
    settings = "".join(f'ENV {variable}="{version}"\n' for variable, version in versions.items())
    with tempfile.TemporaryDirectory(prefix="container-kit-base-") as folder:
        (Path(folder) / "Dockerfile").write_text(f"FROM {image}\n{settings}")
        for record in api.build(path=folder, tag=recipe.name, labels=labels, rm=True, decode=True):
            if "error" in record:
                raise CannotMake(f"{recipe.name}: {record['error']}")
