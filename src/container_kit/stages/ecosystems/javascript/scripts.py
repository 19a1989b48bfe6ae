"""Scripts of a `package.json`: which one starts the application, what it runs, and the port that it names."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.detection.claims import ModuleDraft
from container_kit.stages.ecosystems.facets.detection.module_folder import Folder
from container_kit.stages.ecosystems.javascript.frameworks import FILE_SERVERS
from container_kit.stages.ecosystems.javascript.packages import NodePackage


def runner(draft: ModuleDraft) -> str:
    """Return the program that runs scripts here."""
    return draft.package_manager.value or "npm"


def start_script(package: NodePackage, names: tuple[str, ...]) -> str | None:
    """Return the first of these scripts that exists."""
    return next((name for name in names if package.scripts.get(name)), None)


def only_builds(package: NodePackage, name: str) -> bool:
    """Return whether a script whose name says production makes files for it, and starts nothing."""
    return name.startswith("prod") and re.search(r"\b(?:node|tsx|ts-node|bun|pm2)\b", package.resolved(name)) is None


def claim_script(folder: Folder, package: NodePackage, draft: ModuleDraft, script: str, trust: float) -> None:
    """Claim that a script starts the module, and what it runs in the end; little where its file is missing."""
    program = runner(draft)
    short = script == "start" and program != "bun"
    place = folder.place("package.json", re.compile(rf'"{re.escape(script)}"\s*:'))
    if runs_nothing(folder, package, script):
        trust = 0.45
        draft.broken[f"the script {script} runs a file that is not there: {package.scripts[script]}"] = place
    draft.start.add(f"{program} {script}" if short else f"{program} run {script}", "declared", place, confidence=trust)
    draft.program.add(package.resolved(script), "declared", place, confidence=trust)


_RUNS = re.compile(
    r"(?:\w+=\S* )*(?:node|nodemon|bun|tsx|ts-node)\s+(?:(?:run|watch)\s+|--?[\w=-]+\s+)*([\w./-]+)(?:\s.*)?"
)
_TAKES_A_WORD = re.compile(r"\s(?:-r|--require|--import|--loader|-e|--eval|-p|--env-file)\s")
_BUILDING = re.compile(r"build|compile|transpile|bundle|tsc|install|prepare|p(?:re|ost)\w+")


def runs_nothing(folder: Folder, package: NodePackage, script: str) -> bool:
    """Return whether a script runs a file that is not there, and nothing makes it."""
    command = package.scripts.get(script, "")
    match = _RUNS.fullmatch(command)
    if match is None or _TAKES_A_WORD.search(command):
        return False
    return is_nowhere(folder, package, match[1])


def is_nowhere(folder: Folder, package: NodePackage, name: str) -> bool:
    """Return whether a file, named with or without its suffix, is not there, and nothing makes it."""
    if any(_BUILDING.match(script) for script in package.scripts):
        return False
    if folder.matching("tsconfig*.json", "*.config.*", "Makefile", "*file.js") or folder.path:
        return False  # something may build it, or the file lies in a folder above
    file = name.removeprefix("./").rstrip("/")
    if file.startswith("node_modules/") or ("/" not in file and "." not in file.strip(".")):
        return False
    ends = ("", ".js", ".mjs", ".cjs", ".ts", "/index.js", "/index.ts")
    return not folder.has_folder(file) and not folder.first(*(f"{file}{end}" for end in ends))


def script_ports(folder: Folder, package: NodePackage, draft: ModuleDraft, script: str | None) -> None:
    """Claim the port that the script names, the one of the program that serves files, and what pm2 sets."""
    for name in dict.fromkeys([script, "start", "dev"]):
        match = re.search(r"(?:--port[ =]|\s-p[ =]?|\bPORT=)(\d{2,5})\b", package.scripts.get(name or "", ""))
        if match:
            trust = 0.92 if name == script else 0.6 if draft.role.value != "web" or not script else 0.59
            draft.port.add(int(match[1]), "declared", folder.place("package.json", f'"{name}"'), confidence=trust)
    program = package.resolved(script) if script else ""
    place = folder.place("package.json", f'"{script}"')
    served = re.match(r"(?:npx\s+)?([\w-]+)\b", program)
    if served and served[1] in FILE_SERVERS and script != "preview":
        listens = re.search(r"\s(?:-l|--listen|-p|--port)[ =]?(?:tcp://[^:\s]*:)?(\d{2,5})\b", program)
        port = int(listens[1]) if listens else FILE_SERVERS[served[1]]
        draft.role.add("static", "declared", place, confidence=0.86)
        draft.port.add(port, "declared", place, confidence=0.92)
    if "pm2" in program:
        _read_processes(folder, draft)


def _read_processes(folder: Folder, draft: ModuleDraft) -> None:
    """Claim the port that pm2 sets for the programs that it starts."""
    for path in folder.matching("ecosystem.config.*", "pm2.config.*", "process.json", "pm2.json"):
        if match := re.search(r"\bPORT['\"]?\s*:\s*['\"]?(\d{2,5})\b", folder.source(path)):
            draft.port.add(int(match[1]), "configuration", folder.place(path, match[0]), confidence=0.94)
            return
