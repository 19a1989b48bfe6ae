"""C, C++ and Zig: built with Debian's tools or Zig's own, and shipped with the libraries that the program loads."""

from __future__ import annotations

from container_kit.stages.artifacts.dockerfile import Reason
from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.facets.generation.apt_packages import build_packages
from container_kit.stages.ecosystems.facets.generation.base_images import Bases
from container_kit.stages.ecosystems.facets.generation.program import DEBIANS, program
from container_kit.stages.ecosystems.facets.generation.questions import START_UNKNOWN
from container_kit.stages.ecosystems.facets.generation.recipe import (
    Build,
    Recipe,
    chain,
    system_packages,
)
from container_kit.stages.ecosystems.facets.generation.shell_quote import shell_word

_TOOLS = {
    "cmake": ("cmake", "ninja-build"),
    "conan": ("cmake", "ninja-build", "pipx"),
    "meson": ("meson", "ninja-build"),
}
_LIBRARIES = {
    "boost": "libboost-all-dev",
    "crow": "libasio-dev",
    "asio": "libasio-dev",
    "openssl": "libssl-dev",
    "zlib": "zlib1g-dev",
    "curl": "libcurl4-openssl-dev",
    "libcurl": "libcurl4-openssl-dev",
    "sqlite3": "libsqlite3-dev",
    "postgresql": "libpq-dev",
    "libpq": "libpq-dev",
    "libpqxx": "libpqxx-dev",
    "hiredis": "libhiredis-dev",
    "httplib": "libcpp-httplib-dev",
    "nlohmann_json": "nlohmann-json3-dev",
    "spdlog": "libspdlog-dev",
    "fmt": "libfmt-dev",
    "poco": "libpoco-dev",
    "drogon": "libdrogon-dev",
    "libmicrohttpd": "libmicrohttpd-dev",
    "libevent": "libevent-dev",
    "libuv": "libuv1-dev",
    "protobuf": "libprotobuf-dev",
    "grpc": "libgrpc++-dev",
    "yaml-cpp": "libyaml-cpp-dev",
}
"""From what build files look for to Debian's packages."""
_ASKED = re.compile(
    r"(?:find_package|pkg_check_modules|pkg_search_module)\s*\(([^)]*)\)|dependency\s*\(\s*'([\w+.-]+)'", re.IGNORECASE
)
_SHARED = (
    "ldd /out/app | awk '/=> \\// {print $3}' | grep -Ev '/(libc|libm|libdl|librt|libpthread|ld-linux[^/]*)[.]so' "
    "| xargs -r cp -L -t /out/lib"
)


def c_family(app: App, bases: Bases) -> Recipe:
    """Make the recipe for a C or C++ server."""
    base = bases.pick(*DEBIANS, rationale="its packages have the compiler and the libraries, with security fixes")
    runtime = bases.pick(*DEBIANS, rationale="the same distribution that the program was linked on")
    libraries = _libraries(app)
    lines = (
        *system_packages(base, ("build-essential", "pkg-config", *_TOOLS.get(app.manager, ()), *libraries)),
        "WORKDIR /app",
        app.copy_source(),
        *app.enter(),
        f"RUN {chain(_build(app), 'mkdir -p /out/lib', f'cp {_binary(app)} /out/app')}",
        "# The shared libraries of the program, except the C library, are copied too.",
        f'SHELL ["/bin/bash", "-o", "pipefail", "-c"]\nRUN {{ {_SHARED}; }} || test -z "$(ls /out/lib)"',
    )
    reasons = (
        Reason(
            decision=f"packages {', '.join(libraries)}" if libraries else "no libraries",
            rationale="the build file looks for them" if libraries else "the build file looks for none",
        ),
    )
    return program(
        app,
        Build(base, lines),
        runtime,
        ignore=("**/build", "**/cmake-build-*", "**/*.o", "**/*.a"),
        reasons=reasons,
        copies=("COPY --from=build /out/lib /usr/local/lib/app",),
        environment={"LD_LIBRARY_PATH": "/usr/local/lib/app"},
    )


def _libraries(app: App) -> tuple[str, ...]:
    """Return the packages that the build file looks for, and those that the analysis found."""
    text = "\n".join(app.tree.text(app.inside(name)) or "" for name in ("CMakeLists.txt", "meson.build"))
    requested = [word.lower() for match in _ASKED.finditer(text) for word in (match[1] or match[2]).split()]
    known = [_LIBRARIES[word] for word in requested if word in _LIBRARIES]
    return tuple(dict.fromkeys((*known, *build_packages(app.packages))))


def _build(app: App) -> str:
    if app.manager == "cmake":
        return chain("cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release", "cmake --build build")
    if app.manager == "meson":
        return chain("meson setup --buildtype release build", "meson compile -C build")
    return app.build or "make"


def _binary(app: App) -> str:
    """Return the file that the build leaves, relative to the module's folder."""
    words = app.command().arguments if app.start else ()
    if not words or not re.fullmatch(r"(?:\./)?[\w+./-]+", words[0]) or ".." in words[0]:
        raise START_UNKNOWN(f"the program that {app.module.path} builds is unknown", path=app.module.path)
    return shell_word(words[0])
