"""C and C++: CMake, Meson, Make, or bare source files."""

from __future__ import annotations

import re

from container_kit.stages.analyze.claims import Draft
from container_kit.stages.analyze.ecosystem import Ecosystem, Framework
from container_kit.stages.analyze.folder import Folder

FRAMEWORKS = (
    Framework("drogon", ("drogon",), 5555),
    Framework("crow", ("crow",), 18080),
    Framework("oatpp", ("oatpp",), 8000),
    Framework("pistache", ("pistache",), 9080),
    Framework("cpp-httplib", ("httplib",), 8080),
    Framework("poco", ("poco",), 9980),
    Framework("cutelyst", ("cutelyst",), 3000),
)
_INCLUDES = re.compile(
    r"^\s*#\s*include\s*[<\"](?:(drogon|crow|oatpp|pistache|httplib|Poco|Cutelyst)[/.\w-]*)[>\"]", re.MULTILINE
)
_CPP = (".cpp", ".cc", ".cxx", ".hpp", ".c++")


def describe(folder: Folder, draft: Draft) -> None:
    """Find the build tool, the target and, by the includes, a web framework."""
    manifest = (
        folder.first("CMakeLists.txt", "meson.build", "configure.ac", "Makefile", "makefile", "GNUmakefile") or ""
    )
    cpp, c = folder.files(*_CPP, limit=200), folder.files(".c", limit=200)
    source = (cpp or c or [manifest])[0]
    text = folder.text(manifest)
    named = re.search(r"project\s*\([^)]*?\b(CXX|C)\b\s*\)", text) or re.search(
        r"project\s*\([^)]*?['\"](cpp|c)['\"]", text
    )
    language = ("cpp" if named[1].lower() in {"cxx", "cpp"} else "c") if named and not (cpp and c) else None
    most = "cpp" if len(cpp) * 2 >= len(c) and cpp else "c"
    draft.language.add(language or most, "declared" if language else "code", folder.place(source), confidence=0.93)
    tool = {"CMakeLists.txt": "cmake", "meson.build": "meson", "": None}.get(manifest, "make")
    draft.package_manager.add(tool, "declared", folder.place(manifest) if manifest else None, confidence=0.85)
    for path, name in (("conanfile.txt", "conan"), ("conanfile.py", "conan"), ("vcpkg.json", "vcpkg")):
        if folder.has(path):
            draft.manifests.append(path)
            draft.package_manager.add(name, "declared", folder.place(path), confidence=0.8)
    draft.manifests.extend([manifest] if manifest else [])
    draft.locked = True  # the system's packages are not pinned by the project
    for path in [*cpp, *c][:60]:
        if found := _INCLUDES.search(folder.source(path)):
            draft.dependencies.setdefault(found[1].lower(), folder.place(path, found[0].strip()))
    _claim_start(folder, draft, manifest, text, [*cpp, *c])


def _claim_start(folder: Folder, draft: Draft, manifest: str, text: str, sources: list[str]) -> None:
    main = next(
        (path for path in sources if re.search(r"\bmain\s*\(", folder.source(path)) and "test" not in path.lower()),
        None,
    )
    if manifest == "CMakeLists.txt":
        target = re.search(r"add_executable\s*\(\s*([\w${}.-]+)", text)
        project = re.search(r"project\s*\(\s*([\w.-]+)", text)
        name = _expanded(target[1], text, project[1] if project else "") if target else None
        build, start = "cmake -B build && cmake --build build", f"./build/{name}"
    elif manifest == "meson.build":
        target = re.search(r"executable\s*\(\s*'([^']+)'", text)
        name = target[1] if target else None
        build, start = "meson setup build && meson compile -C build", f"./build/{name}"
    else:
        target = re.search(r"^(?:TARGET|PROG|PROGRAM|BIN|EXEC|NAME|EXE)\w*\s*[:?]?=\s*(\S+)", text, re.MULTILINE)
        target = target or re.search(r"-o\s+([\w./-]+)(?<!\.o)\b", text)
        name = (
            target[1]
            if target and "$" not in target[1]
            else main.rpartition("/")[2].partition(".")[0]
            if main
            else None
        )
        compiler = "g++" if draft.language.value == "cpp" else "gcc"
        build, start = ("make", f"./{name}") if manifest else (f"{compiler} -o {name} {main}", f"./{name}")
    if name is None or main is None:
        draft.role.add("library", "code", folder.place(manifest) if manifest else None, confidence=0.7)
        return
    draft.entrypoint.add(main, "code", folder.place(main))
    draft.build.add(build, "framework", folder.place(manifest or main), confidence=0.8)
    draft.start.add(start, "declared", folder.place(manifest or main, name), confidence=0.75)


def _expanded(name: str, text: str, project: str) -> str:
    if "PROJECT_NAME" in name:
        return project
    if found := re.search(rf"set\s*\(\s*{re.escape(name.strip('${}'))}\s+([\w.-]+)", text):
        return found[1]
    return name


ECOSYSTEMS = (
    Ecosystem("c-family", describe, manifests=("CMakeLists.txt", "meson.build"),
              bare=("Makefile", "main.cpp", "main.c", "main.cc", "configure.ac", "*.cpp", "*.c", "*.cc"), frameworks=FRAMEWORKS,
              sources=(*_CPP, ".c", ".h"), rank=70),
)  # fmt: skip
