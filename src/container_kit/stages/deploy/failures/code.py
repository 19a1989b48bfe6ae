"""Causes in the code and its dependencies: modules, formats, versions, exceptions."""

from __future__ import annotations

from container_kit.stages.contract import expressions as re
from container_kit.stages.deploy.failures.cause import Facts, cause
from container_kit.stages.deploy.failures.crash import Crash

_NODE_MISSING = r"Cannot find (?:module|package) '(?P<module>[^']{1,300})'"
_BUILT = re.compile(
    r"(?:^|/)(?:dist|build|out|\.next|\.output|\.nuxt|target|bin|lib|public/build|\.svelte-kit)(?:/|$)|\.(?:jar|war|dll)$"
)


def _is_other_case(crash: Crash, facts: Facts) -> bool:
    path = facts["module"].replace(".", "/") if facts["dotted"] or "/" not in facts["module"] else facts["module"]
    facts["actual"] = crash.other_case(path) or ""
    return bool(facts["actual"])


def _is_built(_: Crash, facts: Facts) -> bool:
    return bool(_BUILT.search(facts["module"]))


CAUSES = (
    cause(
        "deploy.native_module",
        "A module with native code was built for another runtime version, system or processor.",
        (
            r"compiled against a different Node\.js version",
            r"NODE_MODULE_VERSION \d{1,4}",
            r"invalid ELF header|ERR_DLOPEN_FAILED|file too short",
            r"wrong ELF class|not a valid Win32 application|mach-o",
            r"You installed esbuild for another platform|Could not load the \"sharp\" module|Cannot find module @rollup/rollup-",
            r"Query [Ee]ngine[^\n]{0,120}(?:linux|debian|rhel|musl)|was compiled for|incompatible architecture",
            r"undefined symbol: (?:Py|_Py)|numpy\.core\.multiarray failed to import|A module that was compiled using NumPy 1",
            r"PHP Warning: +PHP Startup: Unable to load dynamic library|incompatible library version",
        ),
        "a native module was built for another runtime, system or processor, often the host's node_modules",
        "Add `node_modules` and `.venv` to .dockerignore, and install the dependencies in the image with the same base image "
        "that runs them",
    ),
    cause(
        "deploy.library_not_found",
        "A shared library is not in the image.",
        (
            r"error while loading shared libraries: (?P<library>[^\s:]{1,120})",
            r"(?P<library>lib[\w.+-]{1,100}\.so[\w.]{0,20}): cannot open shared object file",
            r"Error loading shared library (?P<library>[^\s:]{1,120})",
            r"cannot load library '(?P<library>[^']{1,120})'|Library not loaded: (?P<other>\S{1,120})",
            r"version `(?P<library>GLIBC(?:XX)?_[\d.]{1,12})' not found",
            r"DllNotFoundException[^\n]{0,80}'(?P<library>[^']{1,100})'|Couldn't find a valid ICU package|libgdiplus",
            r"UnsatisfiedLinkError: [^\n]{0,80}(?P<library>lib[\w.+-]{1,80}\.so)",
        ),
        "the shared library {library}{other} is not in the image",
        "Install the Debian package with {library}{other} in the final stage (`apt-get install -y --no-install-recommends`); "
        "with GLIBC in its name, build and run on the same release",
    ),
    cause(
        "deploy.runtime_version",
        "The code needs another version of the language.",
        (
            r"UnsupportedClassVersionError[^\n]{0,200}",
            r"requires Python '?(?P<wanted>[^'\n]{1,40})|This (?:application|program) requires Python (?P<also>[\d.+]{1,20})",
            r"SyntaxError: Unexpected token '(?P<token>\?\?=|\?\.|\|\|=|&&=)'|requires Node\.js (?P<wanted>[^\n]{1,40})|Node\.js version [^\n]{1,60} (?:required|is required)",
            r"ReferenceError: (?P<token>fetch|structuredClone|Headers|File|CustomEvent) is not defined|(?P<api>\w{1,40})\.(?:hasOwn|at|withResolvers) is not a function",
            r"No module named '(?P<removed>distutils|imp|asyncore|cgi|pkg_resources|telnetlib)'|cannot import name '(?P<name>Mapping|MutableMapping|Iterable|Callable)' from 'collections'",
            r"You must install or update \.NET|The framework 'Microsoft\.\w{1,20}\.App', version '(?P<wanted>[^']{1,20})'",
            r"Your Ruby version is [\d.]{1,12}, but your Gemfile specified (?P<wanted>\S{1,20})",
            r"Composer detected issues in your platform|require a PHP version \"(?P<wanted>[^\"]{1,30})\"",
            r"cannot import name '(?P<name>Self|StrEnum|UTC|TypeAlias|ParamSpec|override|tomllib)'|No module named '(?P<removed>tomllib)'",
        ),
        "the code needs another version of the language: {wanted}{also} {token}{api}{removed}{name}",
        "Use a base image with the version that the code needs (write-dockerfile with base_images), or state it in "
        "`requires-python`, `engines` or the like and write the Dockerfile again",
    ),
    cause(
        "deploy.letter_case",
        "The code asks for a file that exists in other upper and lower case, which counts on Linux.",
        (
            _NODE_MISSING,
            r"ModuleNotFoundError: No module named '(?P<module>[^']{1,200})'",
            r"(?:ENOENT|No such file or directory)[^\n]{0,40}'(?P<module>[^']{1,300})'",
            r"cannot load such file -- (?P<module>\S{1,300})",
            r"Failed open(?:ing|ed)[^\n]{0,20}'(?P<module>[^']{1,300})'|(?P<module>[\w./-]{1,300}): No such file or directory",
        ),
        "{module} exists as {actual}: upper and lower case count on Linux",
        "Write the name as in {actual}, or rename the file with `git mv`",
        when=_is_other_case,
    ),
    cause(
        "deploy.build_output_missing",
        "The start needs the result of a build that is not in the image.",
        (
            r"Could not find a production build in the '(?P<module>[^']{1,100})' directory",
            _NODE_MISSING,
            r"Unable to access jarfile (?P<module>\S{1,200})",
            r"no main manifest attribute, in (?P<module>\S{1,200})",
            r"ENOENT: no such file or directory, \w{1,10} '(?P<module>[^']{1,300})'",
            r"The application to execute does not exist: '(?P<module>[^']{1,200})'|Could not find (?:file |the )?'?(?P<module>/?\S{0,200}(?:dist|build)/\S{0,100})'?",
            r"(?:Vite|Mix) manifest not found at: (?P<module>\S{1,200})",
        ),
        "the build's result {module} is not in the image",
        "Run the build in the Dockerfile before the start (`npm run build`), copy its output folder to the final stage, and "
        "correct the path in CMD: {module}",
        when=_is_built,
    ),
    cause(
        "deploy.module_format",
        "ES module syntax and CommonJS are mixed.",
        (
            r"Cannot use import statement outside a module",
            r"(?:require|exports|module|__dirname|__filename) is not defined in ES module scope",
            r"ERR_REQUIRE_ESM|require\(\) of ES Module|ERR_REQUIRE_ASYNC_MODULE",
            r"The requested module '[^']{1,200}' does not provide an export named|Named export '[^']{1,100}' not found",
            r"Unknown file extension \"\.tsx?\"|ERR_UNSUPPORTED_DIR_IMPORT|Unexpected token 'export'",
        ),
        "ES module syntax and CommonJS are mixed",
        'Set `"type": "module"` in package.json or remove it, rename the file to .mjs or .cjs, or start the compiled '
        "result instead of TypeScript",
    ),
    cause(
        "deploy.circular_import",
        "Modules import one another in a circle.",
        (
            r"partially initialized module '(?P<module>[^']{1,200})'",
            r"most likely due to a circular import",
            r"ReferenceError: Cannot access '(?P<module>[^']{1,100})' before initialization",
            r"import cycle not allowed|CircularDependency|Circular dependency",
        ),
        "modules import one another in a circle {module}",
        "Move what both modules need into a third one, or import inside the function that needs it",
    ),
    cause(
        "deploy.syntax_error",
        "A source or configuration file cannot be parsed.",
        (
            r"^\s{0,40}(?P<problem>(?:SyntaxError|IndentationError|TabError): [^\n]{1,200})",
            r"(?P<problem>(?:PHP )?Parse error: [^\n]{1,200})",
            r"(?P<problem>[^\s:]{1,200}:\d{1,6}: syntax error[^\n]{0,120})|(?P<ruby>syntax errors? found[^\n]{0,80})|(?P<ruby>Syntax error: [^\n]{1,120})",
            r"(?P<problem>TOMLDecodeError[^\n]{0,160}|(?:yaml|ruamel)[\w.]{0,40}(?:Scanner|Parser)Error[^\n]{0,120}|JSONDecodeError: [^\n]{1,120})",
            r"(?P<problem>nginx: \[emerg\] [^\n]{1,200})|(?P<ruby>AH00526: Syntax error[^\n]{0,160})",
        ),
        "a file cannot be parsed: {problem}{ruby}",
        "Correct the file at the line in the log: {problem}{ruby}",
    ),
    cause(
        "deploy.application_not_found",
        "The server does not find the application object that the start names.",
        (
            r"Error loading ASGI app\. (?P<what>[^\n]{1,160})",
            r"Failed to find (?:attribute|application object) '?(?P<what>[^'\n]{1,120})",
            r"Could not (?:locate|import|find)[^\n]{0,60}(?:Flask|FastAPI|application|app)[^\n]{0,20}(?P<what>[^\n]{0,100})",
            r"Error: Could not import '(?P<what>[^']{1,120})'",
            r"unable to load (?:app|configuration) [^\n]{0,80}|no python application found|Could not find or load main class (?P<what>\S{1,160})",
            r"configuration [^\n]{0,80}config\.ru[^\n]{0,60}not found",
        ),
        "the server does not find the application {what}",
        "Correct MODULE:OBJECT in the start command ({what}); the module must be importable from WORKDIR",
    ),
    cause(
        "deploy.file_not_found",
        "The start or the code needs a file that is not in the image.",
        (
            r"Cannot find module '(?P<module>(?:/|\./|\.\./)[^']{1,300})'",
            r"can't open file '(?P<module>[^']{1,300})'",
            r"FileNotFoundError: \[Errno 2\] No such file or directory: '(?P<module>[^']{1,300})'",
            r"ENOENT: no such file or directory, \w{1,10} '(?P<module>[^']{1,300})'",
            r"Failed opening required '(?P<module>[^']{1,300})'|Could not open input file: (?P<module>\S{1,200})",
            r"No such file or directory @ \w{1,20} - (?P<module>[^)\n]{1,200})|cannot load such file -- (?P<module>(?:/|\./)\S{1,300})",
            r"open (?P<module>[\w./-]{1,200}): no such file or directory|(?:FileNotFoundException|NoSuchFileException): (?!Could )(?P<module>[^\s(]{1,200})",
            r"Could not find file '(?P<module>[^']{1,300})'|cannot access '?(?P<module>[^'\n:]{1,200})'?: No such file",
            r"npm (?:error|ERR!) (?:enoent|path)[^\n]{0,80}(?P<module>/\S{0,200}package\.json)",
        ),
        "the file {module} is not in the image",
        "Copy {module} into the final stage (check .dockerignore and WORKDIR), or correct its path",
    ),
    cause(
        "deploy.module_not_found",
        "The code imports a module that is not installed in the image.",
        (
            r"ModuleNotFoundError: No module named '(?P<module>[^']{1,200})'",
            r"No module named (?P<module>[\w.]{1,100})$",
            _NODE_MISSING,
            r"cannot load such file -- (?P<module>\S{1,200})|Could not find (?P<module>\S{1,100}) in (?:locally installed gems|any of the sources)",
            r"(?:ClassNotFoundException|NoClassDefFoundError): (?P<module>[\w./$]{1,200})",
            r"Class \"(?P<module>[^\"]{1,200})\" not found|Could not load file or assembly '(?P<module>[^',]{1,120})",
            r"bundler: command not found: (?P<module>\S{1,80})|Can't locate (?P<module>\S{1,120}) in @INC|module '(?P<module>[\w.]{1,100})' not found",
            r"ImportError: (?P<module>[^\n]{1,160}(?:is not installed|must be installed|not found)[^\n]{0,80})|(?:please |You need to )install (?P<module>[\w\[\].-]{1,60})",
        ),
        "the module {module} is not installed in the image",
        "Add {module} to the dependencies of the manifest (not to the development dependencies), and renew the lock file",
    ),
)
EXCEPTION = cause(
    "deploy.unhandled_exception",
    "The application ended with an exception that it does not handle.",
    (
        r"^(?P<problem>[A-Za-z_][\w.]{0,120}(?:Error|Exception|Exit|Warning|Interrupt|Failed|Missing|NotFound)\b(?:: [^\n]{1,240})?)$",
        r"^(?P<problem>(?:Uncaught )?(?:[A-Z]\w{0,60})?Error: [^\n]{1,240})",
        r"^Error: (?P<problem>[^\n]{1,240})|^(?P<problem>panic: [^\n]{1,240})",
        r"(?P<problem>thread '\w{1,40}'[^\n]{0,40} panicked at[^\n]{1,240})",
        r"Exception in thread \"main\" (?P<problem>[^\n]{1,240})|Unhandled exception\. (?P<problem>[^\n]{1,240})",
        r"(?P<problem>\S{1,200}\.rb:\d{1,6}:in [^\n]{1,240}\((?:[\w:]{1,60})\))",
        r"(?:PHP )?Fatal error: +(?P<problem>Uncaught [^\n]{1,240})|(?P<problem>\*\* \(\w[\w.]{0,60}Error\) [^\n]{1,200})",
        r"^(?P<problem>Traceback \(most recent call last\))",
    ),
    "the application ended with an exception: {problem}",
    "Correct the code that the trace names: {problem}",
)
"""Checked last: other causes are exceptions too."""
