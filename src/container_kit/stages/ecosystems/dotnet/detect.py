"""C#, F# and Visual Basic: .NET projects and solutions."""

from __future__ import annotations

from typing import Any

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.detector import Detector, Framework
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.facets.detection.module_tree import join

FRAMEWORKS = (
    Framework("giraffe", ("giraffe",)),
    Framework("saturn", ("saturn",), 8085),
    Framework("suave", ("suave",), 8080),
    Framework("blazor", ("microsoft.aspnetcore.components.webassembly",), 5000),
    Framework("aspnetcore", ("microsoft.aspnetcore.app", "microsoft.aspnetcore.all"), 8080),
)
_PACKAGES = {package for framework in FRAMEWORKS for package in framework.packages}
_LANGUAGES = {".csproj": "csharp", ".fsproj": "fsharp", ".vbproj": "vb"}


def describe(folder: Folder, draft: ModuleDraft) -> None:
    """Read the project file: its SDK distinguishes web applications, programs and libraries."""
    path = (folder.matching("*.csproj", "*.fsproj", "*.vbproj") or [""])[0]
    if not path:
        _describe_solution(folder, draft) if folder.matching("*.sln", "*.slnx") else _describe_sources(folder, draft)
        return
    draft.manifests.extend(name for name in (path, "packages.lock.json", "global.json") if folder.has(name))
    draft.locked = True  # package references name exact versions
    draft.name = path.rpartition(".")[0]
    draft.language.add(_LANGUAGES[path[path.rindex(".") :]], "declared", folder.place(path))
    draft.package_manager.add("nuget", "declared", folder.place(path))
    project = folder.xml(path)
    text = folder.text(path)
    sdk = (project.get("Sdk") if project is not None else None) or "".join(re.findall(r'Sdk="([^"]+)"', text)[:1])
    for match in re.finditer(r'<(?:PackageReference|FrameworkReference)\s[^>]*Include="([^"]+)"', text):
        draft.dependencies.setdefault(match[1].lower(), folder.place(path, match[0]))
    for match in re.finditer(r'<ProjectReference\s[^>]*Include="(?:[^"]*[\\/])?([^"\\/]+proj)"', text):
        draft.tools.setdefault(match[1].lower(), folder.place(path, match[0]))
    for listed, pattern in (("paket.references", r"^\s*([\w.]+)"), ("packages.config", r'<package\s+id="([^"]+)"')):
        for match in re.finditer(pattern, folder.text(listed), re.MULTILINE):
            draft.dependencies.setdefault(match[1].lower(), folder.place(listed, match[1]))
    _read_version(folder, draft, path, text)
    _claim_application(folder, draft, path, project, sdk)


def _describe_solution(folder: Folder, draft: ModuleDraft) -> None:
    solution = folder.matching("*.sln", "*.slnx")[0]
    draft.manifests.append(solution)
    draft.language.add("csharp", "configuration", folder.place(solution))
    draft.package_manager.add("nuget", "declared", folder.place(solution))
    draft.role.add("library", "guess", confidence=0.4)


def _describe_sources(folder: Folder, draft: ModuleDraft) -> None:
    """Sources whose project file is missing: what they are is known, what starts them is not."""
    first = (folder.files(".cs", limit=1) or folder.files(".fs", ".vb", limit=1))[0]
    language = _LANGUAGES[f"{first[first.rindex('.') :]}proj"]
    draft.language.add(language, "code", folder.place(first), confidence=0.95)
    draft.locked = True
    if used := folder.find(r"\bMicrosoft\.AspNetCore\b|\bWebApplication\.CreateBuilder\b", ".cs", ".fs", ".vb"):
        draft.framework.add("aspnetcore", "code", folder.place(used[0], used[1][0]))
        draft.role.add("web", "code", folder.place(used[0], used[1][0]))
        draft.port.add(8080, "framework", folder.place(used[0]), confidence=0.5)
    elif main := folder.find(r"\bstatic\s+[\w<>.\[\]]+(?:\s+[\w<>]+)*\s+Main\s*\(|\[<EntryPoint>\]", ".cs", ".fs"):
        draft.role.add("cli", "code", folder.place(main[0], main[1][0]), confidence=0.6)
        draft.start.add("dotnet run", "guess", folder.place(main[0], main[1][0]))
    else:
        draft.role.add("library", "guess", folder.place(first))


def _read_version(folder: Folder, draft: ModuleDraft, path: str, text: str) -> None:
    if match := re.search(r"<TargetFrameworks?>\s*(?:net(?:coreapp)?)?([\d.]+)", text):
        draft.version.add(match[1], "declared", folder.place(path, match[0]))
    sdk = folder.json("global.json").get("sdk") if folder.has("global.json") else None
    if isinstance(sdk, dict) and isinstance(version := sdk.get("version"), str):
        draft.version.add(version, "declared", folder.place("global.json", version), confidence=0.9)


def _claim_application(folder: Folder, draft: ModuleDraft, path: str, project: Any, sdk: str) -> None:
    place = folder.place(path)
    kind = (_property(project, "OutputType") or "").lower()
    runs = kind in {"exe", "winexe"}
    web = sdk.startswith("Microsoft.NET.Sdk.Web") or ("microsoft.aspnetcore.app" in draft.dependencies and runs)
    blazor, worker = (sdk.startswith(f"Microsoft.NET.Sdk.{name}") for name in ("BlazorWebAssembly", "Worker"))
    if "Test" in draft.name and "microsoft.net.test.sdk" in draft.dependencies:
        draft.role.add("library", "declared", place, confidence=0.95)
        return
    if kind == "library" or not (web or blazor or runs or worker):
        draft.role.add("library", "declared", place, confidence=0.85)
        return
    assembly = (_property(project, "AssemblyName") or draft.name).strip()
    draft.build.add("dotnet publish -c Release -o out", "framework", place, confidence=0.85)
    draft.start.add(f"dotnet {assembly}.dll", "declared", place, confidence=0.82)
    draft.start.add("dotnet run", "framework", place, confidence=0.5)
    draft.entrypoint.add(folder.first("Program.cs", "Program.fs", "Startup.cs"), "code", place)
    _claim_kind(folder, draft, place, blazor=blazor, web=web, worker=worker)


def _claim_kind(folder: Folder, draft: ModuleDraft, place: str, *, blazor: bool, web: bool, worker: bool) -> None:
    if blazor:
        draft.framework.add("blazor", "declared", place)
        draft.role.add("static", "declared", place)
    elif web:
        _claim_web(folder, draft, place)
    elif worker:
        draft.role.add("worker", "declared", place)
    elif not _PACKAGES & draft.dependencies.keys():
        draft.role.add("cli", "declared", place, confidence=0.8)


def _property(project: Any, name: str) -> str | None:
    text: str | None = project.findtext(f".//{name}") if project is not None else None
    return text


def _claim_web(folder: Folder, draft: ModuleDraft, place: str) -> None:
    draft.role.add("web", "declared", place)
    if not {"giraffe", "saturn", "suave"} & draft.dependencies.keys():
        draft.framework.add("aspnetcore", "declared", place, confidence=0.97)
    launch = "Properties/launchSettings.json"
    urls = re.findall(r'"applicationUrl"\s*:\s*"([^"]+)"', folder.text(launch))
    plain = [m for url in urls for m in re.findall(r"http://[^:;\"]+:(\d+)", url)]
    for port in plain[:2]:
        draft.port.add(
            int(port), "configuration", folder.place(launch, port), confidence=0.7 if port == plain[-1] else 0.65
        )
    version = re.match(r"\d+", draft.version.value or "8")
    draft.port.add(8080 if version and int(version[0]) >= 8 else 80, "framework", place, confidence=0.55)
    for path in folder.matching("appsettings*.json"):
        if match := re.search(r'"(?:Url|urls|Urls)"\s*:\s*"https?://[^:"]+:(\d+)', folder.text(path)):
            draft.port.add(int(match[1]), "configuration", folder.place(path, match[0]))


def workspace(folder: Folder) -> tuple[str, list[str]] | None:
    """Return the projects of a solution."""
    solutions = folder.matching("*.sln", "*.slnx")
    if not solutions:
        return None
    paths = re.findall(r'"([^"]+\.(?:cs|fs|vb)proj)"', folder.text(solutions[0]))
    members = [path.replace("\\", "/").rpartition("/")[0] for path in paths]
    return "dotnet", [join("", member) for member in members]


DETECTORS = (
    Detector(
        "dotnet",
        describe,
        version_tools=("dotnet",),
        entry_files=("Program.cs", "Program.fs", "Startup.cs", "*.cs"),
        manifests=("*.csproj", "*.fsproj", "*.vbproj", "*.sln", "*.slnx"),
        frameworks=FRAMEWORKS,
        workspace=workspace,
        sources=(".cs", ".fs", ".vb"),
        rank=22,
    ),
)
