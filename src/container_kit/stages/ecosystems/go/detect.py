"""Go modules and workspaces."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.dockerfile_facts import read_dockerfile
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.go.system_packages import SYSTEM_PACKAGES

FRAMEWORKS = (
    Framework("gin", ("github.com/gin-gonic/gin",), 8080),
    Framework("echo", ("github.com/labstack/echo", "github.com/labstack/echo/v4", "github.com/labstack/echo/v5"), 1323),
    Framework(
        "fiber", ("github.com/gofiber/fiber", "github.com/gofiber/fiber/v2", "github.com/gofiber/fiber/v3"), 3000
    ),
    Framework("beego", ("github.com/beego/beego/v2", "github.com/astaxie/beego", "github.com/beego/beego"), 8080),
    Framework("buffalo", ("github.com/gobuffalo/buffalo",), 3000),
    Framework("revel", ("github.com/revel/revel",), 9000),
    Framework("iris", ("github.com/kataras/iris/v12", "github.com/kataras/iris"), 8080),
    Framework("huma", ("github.com/danielgtaylor/huma/v2",), 8888),
    Framework("hertz", ("github.com/cloudwego/hertz",), 8888),
    Framework("go-zero", ("github.com/zeromicro/go-zero",), 8888),
    Framework("kratos", ("github.com/go-kratos/kratos/v2",), 8000),
    Framework("goframe", ("github.com/gogf/gf/v2", "github.com/gogf/gf"), 8000),
    Framework("pocketbase", ("github.com/pocketbase/pocketbase",), 8090),
    Framework("chi", ("github.com/go-chi/chi", "github.com/go-chi/chi/v5"), None),
    Framework("gorilla-mux", ("github.com/gorilla/mux",), None),
    Framework("httprouter", ("github.com/julienschmidt/httprouter",), None),
    Framework("martini", ("github.com/go-martini/martini",), 3000),
    Framework("goji", ("goji.io", "github.com/zenazn/goji"), 8000),
    Framework("negroni", ("github.com/urfave/negroni", "github.com/codegangsta/negroni"), 3000),
    Framework("fasthttp", ("github.com/valyala/fasthttp",), None),
    Framework("grpc", ("google.golang.org/grpc",), 50051, also_client=True),
    Framework("functions-framework", ("github.com/googlecloudplatform/functions-framework-go",), 8080),
)
_REQUIRE = re.compile(r"^\s*(?:require\s+)?([\w.-]+\.[\w.-]+/\S+)\s+v\S+(.*)$", re.MULTILINE)
_SERVES = re.compile(r"ListenAndServe|net\.Listen\(|\.Serve\(")
_CLI = ("github.com/spf13/cobra", "github.com/urfave/cli", "github.com/urfave/cli/v2", "github.com/alecthomas/kong")


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read `go.mod`, then find the commands: folders with `package main`."""
    manifest = "go.mod" if folder.has("go.mod") else None
    place = folder.place(manifest) if manifest else None
    sources = folder.files(".go", limit=200)
    draft.language.add("go", "declared", place, *map(folder.place, sources[:1]))
    draft.package_manager.add("go", "declared" if manifest else "framework", place)
    draft.manifests.extend(name for name in ("go.mod", "go.sum") if folder.has(name))
    draft.locked = folder.has("go.sum") or not _REQUIRE.search(folder.text(manifest))
    _read_module(folder, draft, manifest)
    own = _binary(folder, draft, "")
    commands = _commands(folder, [path for path in sources if not path.endswith("_test.go")], own)
    if not commands:
        draft.role.add("library", "code", place, confidence=0.85)
        return
    _claim_commands(folder, draft, commands)
    _claim_role(folder, draft)


def _claim_role(folder: Folder, draft: ModuleDraft) -> None:
    """Claim that the commands serve, by their code; without a framework the others are command-line programs."""
    if "google.golang.org/grpc" in draft.dependencies and (served := folder.find(r"\bgrpc\.NewServer\(", ".go")):
        draft.framework.add("grpc", "code", folder.place(served[0], served[1][0]), confidence=0.6)
    if listening := folder.find(_SERVES.pattern, ".go"):
        draft.role.add("web", "code", folder.place(listening[0], listening[1][0]), confidence=0.85)
    elif not _framework(draft):
        declared = next((draft.dependencies[name] for name in _CLI if name in draft.dependencies), None)
        draft.role.add("cli", "declared" if declared else "code", declared, confidence=0.8)


def _framework(draft: ModuleDraft) -> bool:
    return bool(draft.framework) or any(
        package in draft.dependencies
        for framework in FRAMEWORKS
        for package in framework.packages
        if not framework.also_client
    )


def _read_module(folder: Folder, draft: ModuleDraft, manifest: str | None) -> None:
    text = folder.text(manifest)
    if manifest and (match := re.search(r"^module\s+(\S+)", text, re.MULTILINE)):
        draft.name = match[1].strip('"')
    if manifest and (match := re.search(r"^go\s+(\d\S*)", text, re.MULTILINE)):
        draft.version.add(match[1], "declared", folder.place(manifest, match[0]))
    for match in _REQUIRE.finditer(text):
        if "// indirect" not in match[2]:
            draft.dependencies[match[1]] = folder.place("go.mod", match[1] + " ")


def _commands(folder: Folder, sources: list[str], own: str) -> list[str]:
    """Folders that hold a `func main`: the root first, then servers before other commands."""
    found: list[str] = []
    for path in sources:
        inside = path.rpartition("/")[0]
        text = folder.source(path)
        if inside not in found and re.search(r"^package main\b", text, re.MULTILINE) and "func main(" in text:
            found.append(inside)
    usual = ("server", "api", "web", "app", "main", "service")

    image = read_dockerfile("Dockerfile", folder.text("Dockerfile")).command
    started = image[0].partition(" ")[0].rpartition("/")[2] if image else None

    def likely(path: str) -> tuple[bool, bool, bool, bool, bool, int, str]:
        name = path.rpartition("/")[2]
        served = name in usual or name.endswith(("d", "server"))
        return name != started, path != "", not path.startswith("cmd/"), name != own, not served, path.count("/"), path

    return sorted(found, key=likely)


def _claim_commands(folder: Folder, draft: ModuleDraft, commands: list[str]) -> None:
    for number, command in enumerate(commands[:3]):
        name = _binary(folder, draft, command)
        package = f"./{command}" if command else "."
        main = next(
            (f for f in folder.files(".go") if f.rpartition("/")[0] == command and "func main(" in folder.source(f)),
            None,
        )
        if main and not folder.has("go.mod"):  # without a module Go builds files, named for the first
            package, name = main, main.rpartition("/")[2].removesuffix(".go")
        place = folder.place(main, "func main(") if main else None
        first = number == 0
        draft.start.add(f"./{name}", "code", place, confidence=0.85 if first else 0.4)
        draft.build.add(f"go build -o {name} {package}", "framework", place, confidence=0.85 if first else 0.4)
        if first:
            draft.start.add(f"go run {package}", "code", place, confidence=0.5)
            draft.entrypoint.add(main, "code", place)


def _binary(folder: Folder, draft: ModuleDraft, command: str) -> str:
    last = command.rpartition("/")[2]
    if command and not folder.has_folder(last):  # a program cannot have the name of a folder next to it
        return last
    parts = [part for part in draft.name.split("/") if not re.fullmatch(r"v\d+", part)]
    return (parts[-1] if parts else "") or folder.base


def workspace(folder: Folder) -> tuple[str, list[str]] | None:
    """Return the modules that `go.work` uses."""
    if not folder.has("go.work"):
        return None
    text = folder.text("go.work")
    block = re.search(r"^use\s*\(([^)]*)\)", text, re.MULTILINE)
    single = re.findall(r"^use\s+([^\s(]+)", text, re.MULTILINE)
    members = [line.split("//")[0].strip() for line in (block[1].splitlines() if block else [])] + single
    return "go-work", [m.strip('"').removeprefix("./").rstrip("/") for m in members if m]


DETECTORS = (
    Detector(
        "go",
        describe,
        version_tools=("golang", "go"),
        system_packages=SYSTEM_PACKAGES,
        manifests=("go.mod", "go.work", "Gopkg.toml", "glide.yaml"),
        entry_files=("main.go", "*.go"),
        frameworks=FRAMEWORKS,
        workspace=workspace,
        sources=(".go",),
        rank=20,
    ),
)
