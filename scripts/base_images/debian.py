"""Debian, bootstrapped from the mirrors that this machine itself uses."""

from __future__ import annotations

from pathlib import Path

from base_images.processes import run
from base_images.recipe import BOOKWORM, FORKY, TRIXIE, CannotMake, Recipe

# As in the public "slim" images: no documentation and no translations, but every licence.
_EXCLUDED = ("doc", "groff", "info", "linda", "lintian/overrides", "locale", "man")
_KEPT = ("doc/*/copyright", "locale/locale.alias")

# Keep no package that is installed, no index in plain text and no translations of package descriptions.
_APT_SETTINGS = {
    "docker-clean": 'APT::Keep-Downloaded-Packages "false"; Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";',
    "docker-gzip-indexes": 'Acquire::GzipIndexes "true";',
    "docker-no-languages": 'Acquire::Languages "none";',
    "docker-autoremove-suggests": 'Apt::AutoRemove::SuggestsImportant "false";',
}
_TESTING = "forky"
_SMALLEST_SYSTEM = 20_000_000


def _bootstrap(suite: str, context: Path) -> None:
    """Bootstrap a minimal Debian into `rootfs.tar`."""
    filters = [f"--dpkgopt=path-exclude=/usr/share/{path}/*" for path in _EXCLUDED]
    filters += [f"--dpkgopt=path-include=/usr/share/{path}" for path in _KEPT]
    # Since trixie a system is born with a merged /usr; before, a hook has to prepare it.
    options = ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"] if suite == "bookworm" else []
    # The index of testing is valid for a week only. Some mirrors are copies that are older.
    options += ['--aptopt=Acquire::Check-Valid-Until "false"'] if suite == _TESTING else []
    packages = "usr-is-merged,ca-certificates,tzdata"
    target = context / "rootfs.tar"
    run(
        *("mmdebstrap", "--variant=minbase", *options, *filters, f"--include={packages}", suite, str(target), "-"),
        given=_sources(suite),
    )
    if target.stat().st_size < _SMALLEST_SYSTEM:
        raise CannotMake("mmdebstrap made an empty system")


def _sources(suite: str) -> str:
    """Return apt's sources of a suite, on the mirrors of this machine's Debian."""
    wanted = "$(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)"
    rows = run("apt-get", "indextargets", "--format", wanted, "Identifier: Packages").splitlines()
    mirrors: dict[str, str] = {}
    for row in rows:
        origin, codename, component, uri = row.split(" ", 3)
        if origin == "Debian" and component == "main" and uri.startswith("http"):
            _, _, pocket = codename.partition("-")
            mirrors.setdefault(pocket, uri)
    if "" not in mirrors:
        raise CannotMake("apt-get knows no mirror of Debian; base images are made from its packages")
    archive = mirrors[""]
    if suite == _TESTING:
        return f"deb {archive} {suite} main\n"
    pockets = {"": archive, "updates": mirrors.get("updates", archive)}
    if "security" in mirrors:
        pockets["security"] = mirrors["security"]
    lines = (f"deb {uri} {suite}{pocket and '-'}{pocket} main" for pocket, uri in pockets.items())
    return "\n".join(lines) + "\n"


def _debian(name: str, suite: str) -> Recipe:
    settings = " && ".join(f"echo '{setting}' >/etc/apt/apt.conf.d/{file}" for file, setting in _APT_SETTINGS.items())
    return Recipe(
        name,
        f"Debian {suite} packages",
        f'FROM scratch\nADD rootfs.tar /\nRUN {settings}\nCMD ["bash"]\n',
        prepare=lambda context: _bootstrap(suite, context),
    )


RECIPES = (_debian(BOOKWORM, "bookworm"), _debian(TRIXIE, "trixie"), _debian(FORKY, "forky"))
