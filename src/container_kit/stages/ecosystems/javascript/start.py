"""What a start script comes to in an image: the process, what is built before it, and whether it needs tools.

A script for development watches files, compiles first or loads a file of secrets. In an image the compilation belongs
to the build, nothing changes, and variables come from the deployment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from container_kit.stages.contract import expressions as re
from container_kit.stages.ecosystems.facets.generation.app import App
from container_kit.stages.ecosystems.javascript.installation.install_root import dependencies, root_file
from container_kit.stages.ecosystems.javascript.sveltekit import SERVER, replaced_adapter

_SCRIPT = re.compile(r"^(?:npm|yarn|pnpm|bun)(?:\s+(?:run|run-script))?\s+(?:-\S+\s+)*([\w:.-]+)(?:\s+--)?(.*)$")
_COMMANDS = {"run", "start", "test", "add", "build", "create", "deploy", "global", "init", "workspace"}
"""Words after `yarn`, `pnpm` or `bun` that are not names of programs."""
_NOT_SCRIPTS = {"exec", "dlx", "install", "ci", "x", "i"}
_PART = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|&&|[^&'"]+|.""", re.DOTALL)
"""The parts of a command line: quotations, `&&`, and the text between them."""
_INSTALLS = re.compile(r"\s*(?:(?:npm|pnpm|bun)\s+(?:install|i|ci)|yarn(?:\s+install)?)(?:\s+-\S+)*\s*$")
_BUILDS = re.compile(
    r"\s*(?:npx\s+)?(?:cross-env\s+)?(?:[A-Z]\w*=\S*\s+)*(?:"
    r"tsc|tsc-alias|tsup|tsdown|unbuild|ncc|rollup|esbuild|swc|babel|gulp|grunt|tailwindcss|postcss|sass|rimraf|"
    r"rm\s+-r?f|mkdir|cp|copyfiles|cpx|cpy|shx|del-cli|webpack|"
    r"(?:vite|next|nuxt|nuxi|nest|ng|react-scripts|vue-cli-service|astro|remix|react-router|parcel|vinxi)"
    r"\s+(?:build|generate)|prisma\s+generate|svelte-kit\s+sync|turbo\s+(?:run\s+)?build"
    r")(?:\s.*)?"
)
_WATCHES = re.compile(r"\s(?:--watch|-w|serve)(?:\s|$)")
_BUILD_SCRIPT = re.compile(r"(?:pre|post)?(?:build|compile|bundle|transpile|clean|tsc|generate)\b")


@dataclass(frozen=True, slots=True)
class Start:
    """The start of an application in an image.

    Attributes:
        line: The command line of the process.
        builds: Commands that the start script ran first, which belong to the build.
        needs_tools: Whether the process needs development packages.
    """

    line: str
    builds: tuple[str, ...] = ()
    needs_tools: bool = False


def scripts(app: App) -> dict[str, str]:
    """Return the scripts of the module's manifest."""
    return dependencies(app.tree.json(app.inside("package.json")), "scripts")


def read_start(app: App) -> Start:
    """Follow the start command through the scripts that it calls."""
    if replaced_adapter(app) and not app.start_given:
        return Start(SERVER)
    line, builds = app.start or "", list[str]()
    for _ in range(6 if len(line) <= _LONGEST else 0):
        before = line
        line, moved = _without_builds(app, line)
        builds += moved
        line, moved = _follow(app, _for_production(app, line))
        builds += moved
        if line == before or len(line) > _LONGEST:
            break
    return Start(line, tuple(dict.fromkeys(builds)), _needs_tools(app, line))


def _without_builds(app: App, line: str) -> tuple[str, list[str]]:
    """Separate what compiles or installs from what stays; the last command stays in any case."""
    if "||" in line or "&&" not in line:
        return line, []
    pieces = _pieces(line)
    moved, kept = list[str](), list[str]()
    for piece in pieces[:-1]:
        if _INSTALLS.fullmatch(piece):
            continue
        (moved if _is_building(app, piece) else kept).append(piece)
    return " && ".join((*kept, pieces[-1])), moved


def _pieces(line: str) -> list[str]:
    """Return the commands between `&&`."""
    pieces = [""]
    for part in _PART.findall(line):
        if part == "&&":
            pieces.append("")
        else:
            pieces[-1] += part
    return [piece.strip() for piece in pieces if piece.strip()]


def _is_building(app: App, piece: str) -> bool:
    script = _SCRIPT.match(piece)
    if script and script[1] in scripts(app):
        parts = _pieces(scripts(app)[script[1]])
        return _BUILD_SCRIPT.match(script[1]) is not None or all(_compiles(part) for part in parts)
    return _compiles(piece)


def _compiles(piece: str) -> bool:
    return _BUILDS.fullmatch(piece) is not None and _WATCHES.search(piece) is None


def _follow(app: App, line: str) -> tuple[str, list[str]]:
    """Replace `npm start` and its like by the command that the script runs, so that it can be PID 1."""
    match = _SCRIPT.match(line.strip())
    if not match or match[1] in _NOT_SCRIPTS or "&&" in line:
        return line, []
    known = scripts(app)
    script = known.get(match[1])
    if match[1] == "start" and script is None and app.tree.exists(app.inside("server.js")):
        script = "node server.js"
    if script is not None:
        first = known.get(f"pre{match[1]}", "")
        moved = [piece for piece in _pieces(first) if _is_building(app, piece)]
        return f"{script}{match[2]}", moved
    is_program = re.fullmatch(r"[\w-]+", match[1]) and match[2][:1] in {"", " "} and match[1] not in _COMMANDS
    return (f"{match[1]}{match[2]}" if is_program and line.split()[0] != "npm" else line), []


def _for_production(app: App, line: str) -> str:
    """Take away what watches files, starts in the background or reads a file of secrets."""
    for pattern, change in _CHANGES:
        if match := pattern.match(line):
            return change(app, match)
    return line


def _nodemon(app: App, match: re.Match[str]) -> str:
    rest = match[2]
    if executed := re.search(r"(?:--exec|-x)[ =](?:'([^']*)'|\"((?:\\.|[^\"\\])*)\"|(.*))", rest):
        command = next(group for group in executed.groups() if group is not None).replace('\\"', '"').strip()
        after = rest[executed.end() :].strip()
        return f"{match[1]}{command} {after}".strip()
    words = re.sub(
        r"(?:^|\s)(?:-[weiV]|--(?:watch|ext|ignore|delay|config|signal))[ =](?:'[^']*'|\"[^\"]*\"|\S+)", " ", rest
    )
    plain = [word for word in words.split() if not word.startswith("--inspect") and word not in {"-L", "-q", "-V"}]
    if plain:
        runner = "node" if not plain[0].endswith(("ts", "tsx")) else _typed_runner(app)
        return f"{match[1]}{runner} {' '.join(plain)}"
    declared = app.tree.json(app.inside("nodemon.json")) or app.tree.json(app.inside("package.json")).get(
        "nodemonConfig"
    )
    executed_there = declared.get("exec") if isinstance(declared, dict) else None
    main = app.tree.json(app.inside("package.json")).get("main", "index.js")
    return f"{match[1]}{executed_there or f'node {main}'}"


def _typed_runner(app: App) -> str:
    everything = dependencies(app.tree.json(app.inside("package.json")), "dependencies", "devDependencies")
    return "tsx" if "tsx" in everything or "ts-node" not in everything else "ts-node"


def _pm2(app: App, match: re.Match[str]) -> str:
    file = match[2]
    if not re.search(r"\.config\.[cm]?js$|\.json$", file):
        return f"{match[1]}node {file}"
    script = re.search(r"\bscript['\"]?\s*:\s*['\"]([^'\"]+)", app.tree.text(app.inside(file)) or "")
    return f"{match[1]}node {script[1]}" if script else match[0]


def _nest(app: App, match: re.Match[str]) -> str:
    if "build" not in scripts(app):
        return match[0]
    config = app.tree.json(app.inside("nest-cli.json"))
    entry = config.get("entryFile")
    return f"{match[1]}node dist/{entry if isinstance(entry, str) else 'main'}"


def _cut(_: App, match: re.Match[str]) -> str:
    return f"{match[1]}{match[2]}"


_BEFORE = r"^((?:(?:npx|cross-env|env)\s+)*(?:[A-Za-z_]\w*=\S*\s+)*)"
_CHANGES: tuple[tuple[re.Pattern[str], Callable[[App, re.Match[str]], str]], ...] = (
    (re.compile(_BEFORE + r"nodemon\b(.*)$"), _nodemon),
    (re.compile(_BEFORE + r"pm2(?:-runtime)?\s+start\s+(\S+).*$"), _pm2),
    (re.compile(_BEFORE + r"pm2-runtime\s+(?:start\s+)?(\S+).*$"), _pm2),
    (re.compile(_BEFORE + r"nest\s+start\b.*$"), _nest),
    (re.compile(_BEFORE + r"env-cmd\s+(?:(?:-\S+\s+)*\S*\.env\S*\s+|-\S+\s+)*(?:--\s+)?(.+)$"), _cut),
    (re.compile(_BEFORE + r"(?:dotenv|dotenvx\s+run)\s+(?:-[ef]\s+\S+\s+)*(?:--\s+)?(.+)$"), _cut),
    (re.compile(r"^(.*\btsx\s+)watch\s+(?:--(?:clear-screen|ignore|include|exclude)=\S+\s+)*(\S.*)$"), _cut),
    (
        re.compile(r"^(.*\b(?:node|bun|tsx|deno)\s(?:.*\s)?)--(?:watch(?:-path=\S+|-preserve-output)?|hot)\s+(.*)$"),
        _cut,
    ),
    (re.compile(r"^(.*\bnode\s(?:.*\s)?)--env-file(?:-if-exists)?[= ]\S+\s+(.*)$"), _cut),
    (re.compile(r"^(.*\bnode\s(?:.*\s)?)-r\s+dotenv/config\s+(.*)$"), _cut),
    (re.compile(r"^(.*\b(?:node|tsx|ts-node)\s(?:.*\s)?)--inspect(?:-brk)?(?:=\S+)?\s+(.*)$"), _cut),
    (
        re.compile(_BEFORE + r"next\s+dev\b(?:\s+--turbo(?:pack)?)?(.*)$"),
        lambda _, match: f"{match[1]}next start{match[2]}",
    ),
)
_LONGEST = 2000
"""Characters of a command line; a longer one is taken as it is."""
_PLAIN = {"node", "bun", "deno", "sh", "bash"}
_PROVIDERS = {"tsc": "typescript", "nest": "@nestjs/cli", "ng": "@angular/cli", "remix-serve": "@remix-run/serve"}


def _needs_tools(app: App, line: str) -> bool:
    """Return whether the process needs development packages; True if its program is not surely another."""
    manifest = app.tree.json(app.inside("package.json"))
    runtime = dependencies(manifest, "optionalDependencies", "dependencies")
    tools = {
        *dependencies(manifest, "devDependencies"),
        *dependencies(app.tree.json(root_file(app, "package.json")), "devDependencies"),
    } - runtime.keys()
    if not tools:
        return False
    words = [word for word in re.split(r"[\s'\"=&|;]+", re.sub(_BEFORE, "", line)) if word]
    if any(_package_of(word) in tools for word in words):
        return True
    program = words[0] if words else "node"
    if program not in _PLAIN and "/" not in program and not _is_provided(program, runtime):
        return True
    return bool(_imported(app, words) & tools)


def _package_of(word: str) -> str:
    """Return the package that a word names, such as `ts-node` for `ts-node/register`."""
    word = _PROVIDERS.get(word, word)
    return "/".join(word.split("/")[: 2 if word.startswith("@") else 1])


def _is_provided(program: str, packages: dict[str, str]) -> bool:
    flat = {name.removeprefix("@").replace("/", "-") for name in packages}
    return _PROVIDERS.get(program, program) in packages or bool({program, f"{program}-cli"} & flat)


_TYPES = re.compile(r"\b(?:import|export)\s+type\b[^'\";]{0,500}['\"][^'\"]*['\"]")
_IMPORT = re.compile(r"(?:\bimport\s+[^'\";]{0,500}?|\bfrom\s*|\bimport\(\s*|\brequire\(\s*)['\"]([^'\".][^'\"]*)['\"]")


def _imported(app: App, words: list[str]) -> set[str]:
    """Return the packages that the entry file imports; of a compiled one, those of its source."""
    for word in words:
        file = word.removeprefix("./")
        stem = re.sub(r"\.[cm]?[jt]s$", "", file)
        inner = stem.partition("/")[2]
        candidates = [
            file,
            *(f"{place}{end}" for place in (stem, f"src/{inner}") for end in (".ts", ".js", ".mts", ".mjs")),
        ]
        for candidate in candidates if "/" in file or "." in file else ():
            if text := app.tree.text(app.inside(candidate)):
                return {_package_of(name) for name in _IMPORT.findall(_TYPES.sub("", text[:64_000]))}
    return set()
