"""C and C++: CMake, Meson, Make, or bare source files."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder

FRAMEWORKS = (
    Framework("drogon", ("drogon",), 5555),
    Framework("crow", ("crow",), 18080),
    Framework("oatpp", ("oatpp",), 8000),
    Framework("pistache", ("pistache",), 9080),
    Framework("cpp-httplib", ("httplib",), 8080),
    Framework("poco", ("poco",), 9980),
    Framework("cutelyst", ("cutelyst",), 3000),
    Framework("functions-framework", ("google/cloud/functions",), 8080),
)
_INCLUDES = re.compile(
    r"^\s*#\s*include\s*[<\"](?:(drogon|crow|oatpp|pistache|httplib|Poco|Cutelyst|google/cloud/functions)[/.\w-]*)[>\"]",
    re.MULTILINE,
)
_ACCEPTS = r"\blisten\s*\(\s*\w+(?:\.\w+)?\s*,\s*\w+\s*\)|\btcp::acceptor\b|\basync_accept\s*\("
"""What takes connections without a framework: sockets of the system, and Boost's."""
_BUILD_FILES = ("CMakeLists.txt", "meson.build", "configure.ac", "Makefile", "makefile", "GNUmakefile")
_CPP = (".cpp", ".cc", ".cxx", ".hpp", ".c++")


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Find the build tool, the target and, by the includes, a web framework."""
    manifest = folder.first(*_BUILD_FILES) or ""
    cpp, c = folder.files(*_CPP, limit=200), folder.files(".c", limit=200)
    sources, text = [*cpp, *c], folder.text(manifest)
    _claim_language(folder, draft, text, cpp, c, (sources or [manifest])[0])
    tool = {"CMakeLists.txt": "cmake", "meson.build": "meson", "": None}.get(manifest, "make")
    draft.package_manager.add(tool, "declared", folder.place(manifest) if manifest else None, confidence=0.85)
    for path, name in (("conanfile.txt", "conan"), ("conanfile.py", "conan"), ("vcpkg.json", "vcpkg")):
        if folder.has(path):
            draft.manifests.append(path)
            draft.package_manager.add(name, "declared", folder.place(path), confidence=0.8)
    draft.manifests.extend([manifest] if manifest else [])
    draft.locked = True  # the system's packages are not pinned by the project
    for path in sources[:60]:
        if match := _INCLUDES.search(folder.source(path)):
            draft.dependencies.setdefault(match[1].lower(), folder.place(path, match[0].strip()))
    if "drogon" in draft.dependencies:
        _claim_listeners(folder, draft, sources)
    elif not draft.dependencies and (server := folder.find(_ACCEPTS, *_CPP, ".c", ".h")):
        draft.role.add("web", "code", folder.place(server[0], server[1][0]), confidence=0.85)
    _claim_start(folder, draft, manifest, text, sources)


def _claim_language(folder: Folder, draft: ModuleDraft, text: str, cpp: list[str], c: list[str], source: str) -> None:
    """Claim the language that the build file names if the sources are of one language, else that of most sources."""
    named = re.search(r"project\s*\([^)]*?\b(CXX|C)\b\s*\)", text)
    named = named or re.search(r"project\s*\([^)]*?['\"](cpp|c)['\"]", text)
    place = folder.place(source)
    if named and not (cpp and c):
        language = "cpp" if named[1].lower() in {"cxx", "cpp"} else "c"
        draft.language.add(language, "declared", place, confidence=0.93)
    else:
        draft.language.add("cpp" if cpp and len(cpp) * 2 >= len(c) else "c", "code", place, confidence=0.93)


def _claim_listeners(folder: Folder, draft: ModuleDraft, sources: list[str]) -> None:
    """Drogon's configuration lists where it listens, or the code names a variable for it."""
    for path in sources[:60]:
        source = folder.source(path)
        called = re.search(r"addListener\(\s*[\w\".:]+\s*,\s*([A-Za-z_]\w*)\s*\)", source)
        given = called and re.search(rf"\b{called[1]}\s*(?:=|\{{)\s*(\d{{2,5}})\s*\}}?;", source)
        if given:
            draft.port.add(int(given[1]), "code", folder.place(path, given[0]))
            return
    for path in ("config.json", "config/config.json"):
        listeners = folder.json(path).get("listeners") if folder.has(path) else None
        for listener in listeners if isinstance(listeners, list) else ():
            port = listener.get("port") if isinstance(listener, dict) else None
            if isinstance(port, int) and not listener.get("https"):
                draft.port.add(port, "configuration", folder.place(path, re.compile(rf'"port"\s*:\s*{port}')))
                return


def _claim_start(folder: Folder, draft: ModuleDraft, manifest: str, text: str, sources: list[str]) -> None:
    main = next((path for path in sources if _has_main(folder, path)), None)
    name, sure = _target(folder, manifest, text, main)
    if name is None or (main is None and not sure):
        draft.role.add("library", "code", folder.place(manifest) if manifest else None, confidence=0.7)
        return
    compiler = "g++" if draft.language.value == "cpp" else "gcc"
    build, start = {
        "CMakeLists.txt": ("cmake -B build && cmake --build build", f"./build/{name}"),
        "meson.build": ("meson setup build && meson compile -C build", f"./build/{name}"),
        "configure.ac": ("./configure && make", f"./{name}"),
        "": (f"{compiler} -o {name} {main}", f"./{name}"),
    }.get(manifest, ("make", f"./{name}"))
    source = manifest or main or ""
    draft.entrypoint.add(main, "code", folder.place(main) if main else None)
    draft.build.add(build, "framework", folder.place(source), confidence=0.8)
    place = folder.place(source, name)
    draft.start.add(start, "declared" if sure else "guess", place, confidence=0.75 if sure else 0.4)


def _has_main(folder: Folder, path: str) -> bool:
    return "test" not in path.lower() and re.search(r"\bmain\s*\(", folder.source(path)) is not None


def _target(folder: Folder, manifest: str, text: str, main: str | None) -> tuple[str | None, bool]:
    """Return the program that the build makes, and whether the build file names it."""
    if manifest == "CMakeLists.txt":
        project = re.search(r"project\s*\(\s*([\w.-]+)", text, re.IGNORECASE)
        inner = [folder.text(path) for path in folder.files("CMakeLists.txt", limit=12, depth=3)]
        for build_file in [text, *inner]:
            if target := re.search(r"add_executable\s*\(\s*([\w${}.-]+)", build_file, re.IGNORECASE):
                return _expanded(target[1], build_file, project[1] if project else ""), True
        return None, False
    if manifest == "meson.build":
        target = re.search(r"(?:executable|build_target)\s*\(\s*'([^']+)'", text)
        return (target[1], True) if target else (None, False)
    if manifest == "configure.ac":
        target = re.search(r"AC_INIT\(\s*\[?([\w.-]+)", text)
        return (target[1].lower(), False) if target else (None, False)
    target = re.search(r"^(?:TARGET|PROG|PROGRAM|BIN|EXEC|NAME|EXE)\w*\s*[:?]?=\s*(\w[\w.-]*)\s*$", text, re.MULTILINE)
    target = target or re.search(r"-o\s+(\w[\w-]*)(?=\s|$)", text)
    if target:
        return target[1], True
    return (main.rpartition("/")[2].partition(".")[0], not manifest) if main else (None, False)


def _expanded(name: str, text: str, project: str) -> str:
    if "PROJECT_NAME" in name:
        return project
    if match := re.search(rf"set\s*\(\s*{re.escape(name.strip('${}'))}\s+([\w.-]+)", text):
        return match[1]
    return name


def _has_sources(folder: Folder) -> bool:
    return bool(folder.files(*_CPP, ".c", limit=1))


DETECTORS = (
    Detector(
        "c-family",
        describe,
        manifests=("CMakeLists.txt", "meson.build"),
        entry_files=("Makefile", "main.cpp", "main.c", "main.cc", "configure.ac", "*.cpp", "*.c", "*.cc"),
        frameworks=FRAMEWORKS,
        sources=(*_CPP, ".c", ".h"),
        recognises=_has_sources,
        rank=70,
    ),
)
