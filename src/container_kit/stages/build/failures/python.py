"""Failures of pip, uv, Poetry, PDM, Pipenv and pip-tools, and of Python code that runs during the build."""

from __future__ import annotations

from container_kit.stages.build.failures import codes, libraries
from container_kit.stages.build.failures.pattern import FailurePattern, pattern, sign

_WINDOWS = (
    r"pywin32(?:-ctypes)?|pypiwin32|windows-curses|pywinpty|winshell|wmi|comtypes|pythonnet|winregistry|win10toast"
    r"|pyreadline|winrt[\w.-]{0,60}|pyobjc[\w.-]{0,80}|appnope|rumps|uvloop-win|winsound|wexpect|pyaudiowpatch"
)
_ONLY_FOREIGN = rf"(?P<package>(?:{_WINDOWS})[^\s,)`]{{0,40}})"


def _lock(command: str, file: str, loose: str) -> str:
    return f"Run `{command}` and commit {file}. To build without it for now, write `{loose}` in {{where}}."


_FOREIGN = (
    sign(codes.PLATFORM_PACKAGE, r"Failed to build '?(?P<package>pyobjc[\w.-]{0,80})", "{package} exists only for another operating system",
         "Give {package} an environment marker in the requirements: `; sys_platform == \"darwin\"`. Then renew the lock file if there is one."),
    sign(codes.PLATFORM_PACKAGE,
         rf"No matching distribution found for {_ONLY_FOREIGN}|{_ONLY_FOREIGN.replace('package', 'uv')} has no wheels with a matching"
         rf"|Unable to find installation candidates for {_ONLY_FOREIGN.replace('package', 'poetry')}|Failed to build `?{_ONLY_FOREIGN.replace('package', 'built')}"
         rf"|{_ONLY_FOREIGN.replace('package', 'cand')}.{{0,200}}(?:has no usable wheels|no (?:compatible|matching) (?:wheel|candidate))",
         "{package}{uv}{poetry}{built}{cand} exists only for another operating system",
         "Give {package}{uv}{poetry}{built}{cand} an environment marker in the requirements: `; sys_platform == \"win32\"` "
         "(Windows) or `; sys_platform == \"darwin\"` (macOS). Then renew the lock file if there is one."),
    sign(codes.PLATFORM_PACKAGE, r"(?P<wheel>\S{1,200}\.whl) is not a supported wheel on this platform|no wheels with a matching platform tag|only has wheels for the following platforms?"
         r"|PyObjC requires macOS|error: (?:This package|.{1,60}) (?:only|is only) (?:supported|works|available) on (?:macOS|Mac OS X|Windows)|Unable to find installation candidates for (?P<poetry>\S{1,100})",
         "{wheel}{poetry} is not for Linux, or not for this processor or Python",
         "Remove it, give it an environment marker, or use a release and a base image for which a wheel exists."),
)  # fmt: skip

_LOCKS = (
    sign(codes.LOCKFILE_OUTDATED, r"lockfile at `uv\.lock` needs to be updated|The lockfile is outdated|needs to be updated, but `--(?:locked|frozen)` was provided",
         "uv.lock does not match pyproject.toml", _lock("uv lock", "uv.lock", "uv sync")),
    sign(codes.LOCKFILE_OUTDATED, r"pyproject\.toml changed significantly since poetry\.lock|poetry\.lock is not up to date|poetry\.lock is not compatible",
         "poetry.lock does not match pyproject.toml", _lock("poetry lock", "poetry.lock", "poetry lock && poetry install")),
    sign(codes.LOCKFILE_OUTDATED, r"Lock(?:file| file) hash doesn't match|Lock(?:file| file) (?:is )?(?:outdated|out of date|does not match)|pdm\.lock.{0,60}(?:outdated|not match)",
         "pdm.lock does not match pyproject.toml", _lock("pdm lock", "pdm.lock", "pdm install")),
    sign(codes.LOCKFILE_OUTDATED, r"Pipfile\.lock \(\w{1,80}\) (?:is )?out of date|Your Pipfile\.lock|Pipfile\.lock is out of date",
         "Pipfile.lock does not match Pipfile", _lock("pipenv lock", "Pipfile.lock", "pipenv install --skip-lock")),
    sign(codes.LOCKFILE_NOT_FOUND, r"Unable to find lockfile at `(?P<file>uv\.lock)`|(?P<pdm>[Ll]ock ?file) (?:does not|doesn't) exist|poetry\.lock (?:does not exist|(?:was )?not found)|(?P<pip>Pipfile\.lock) not found"
         r"|No lock ?file (?:is|was) found|lockfile is (?:missing|not found)",
         "the lock file {file}{pip} is not in the image",
         "COPY it before {where}; if it does not exist, create it (`uv lock`, `poetry lock`, `pdm lock`, `pipenv lock`) and commit it."),
    sign(codes.LOCKFILE_INVALID, r"failed to parse lock file(?![\s\S]{0,200}lock file version)|Failed to parse `uv\.lock`|Unable to read the lock file|poetry\.lock.{0,60}(?:invalid|parse)|TOML parse error.{0,40}uv\.lock|pdm\.lock.{0,60}(?:invalid|parse)",
         "the lock file cannot be parsed", "Resolve the merge conflict in it, or delete it and lock again."),
)  # fmt: skip

_PACKAGES = (
    sign(codes.MANIFEST_NOT_FOUND, r"Could not open requirements file: .{0,80}?'(?P<file>[^']{1,200})'|File not found: `?(?P<uv>[^`\n]{1,200})|No `?pyproject\.toml`? found"
         r"|Neither 'setup\.py' nor 'pyproject\.toml' found|does not appear to be a Python project|Poetry could not find a pyproject\.toml|No Pipfile (?:found|present)"
         r"|neither `?pyproject\.toml`? nor|No pyproject\.toml|Invalid value for .{0,20}(?:SRC_FILES|requirements).{0,60}does not exist|The Pipfile is not found|file (?P<pdm>pyproject\.toml) (?:does not|doesn't) exist|is not initialized",
         "the manifest {file}{uv}{pdm} is not in the image yet",
         "Add a COPY line for it before {where}, or correct its name; the workspace's root must be in the build context."),
    sign(codes.MANIFEST_INVALID, r"ERROR: Invalid requirement: '?(?P<requirement>[^'\n]{1,200})'?(?:[^\n]{0,200}\(from line (?P<line>\d+) of (?P<file>[^)]{1,200})\))?",
         "{requirement} is not a requirement",
         "Correct {requirement} (line {line} of {file})."),
    sign(codes.MANIFEST_INVALID, r"ERROR: Invalid requirement: '?(?P<requirement>[^'\n]{1,200})'?(?: \(from line (?P<line>\d+) of (?P<file>[^)]{1,200})\))?"
         r"|TOML parse error at line (?P<toml>\d+)|(?:Cannot|Failed to|Could not) parse.{0,60}(?:pyproject|Pipfile|`pyproject\.toml`)|TOMLDecodeError|tomllib|Invalid TOML|toml\.decoder|tomlkit\.exceptions|\.toml.{0,80}(?:is not (?:a )?valid TOML|Unexpected|Unclosed|Expected)"
         r"|UnicodeDecodeError.{0,200}|codec can't decode byte|The Poetry configuration is invalid|Couldn't parse requirement|invalid pyproject\.toml|configuration error: `project|Expected end or semicolon|Invalid (?:statement|value).{0,40}\(at line",
         "a manifest cannot be parsed: {requirement} {file} {line}{toml}",
         "Correct {file} at the line in the log, and save it as UTF-8: {requirement}."),
    sign(codes.PACKAGE_VERSION_NOT_FOUND, r"there (?:is no version|are no versions) of (?P<uv>\S{1,100}(?: \S{1,40})?)|only the following versions of (?P<only>\S{1,100}) are available"
         r"|depends on (?P<poetry>\S{1,100} \((?!\*)[^)]{1,60}\)) which doesn't match any versions",
         "there is no version {uv}{only}{poetry} for this Python",
         "Correct the version; a version may exist only for another Python, so compare `requires-python` with the base image."),
    sign(codes.PACKAGE_NOT_FOUND, r"(?P<uv>\S{1,100}) was not found in the (?:package registry|provided package locations)|depends on (?P<poetry>\S{1,100} \(\*\)) which doesn't match any versions"
         r"|Unable to find (?:candidates|package)s? for (?P<pdm>\S{1,100})|PackageNotFound|CandidateNotFound",
         "the index has no package {uv}{poetry}{pdm}",
         "Correct its name. If the package is private, configure its index and pass the token as a build secret."),
    sign(codes.RUNTIME_UNSUPPORTED, r"requires a different Python: (?P<python>\S{1,20}) not in '(?P<wanted>[^']{1,60})'|No interpreter found for Python (?P<uv>\S{1,20})"
         r"|(?:currently activated|current) Python version (?P<poetry>\S{1,20}) is not (?:supported|allowed) by the project \((?P<project>[^)]{1,60})\)"
         r"|Python (?P<pipenv>[\d.]{1,10}) was not found on your system|requested Python version \(\S{1,20}\) does not satisfy|does not satisfy Python\s?(?P<not>[<>=\d.,]{1,40})|requires-python\s{0,2}(?:value|range|`?[<>=])"
         r"|interpreter.{0,80}(?:is )?incompatible with the project.{0,60}|No (?:python|Python) (?:interpreter )?(?:is )?found|Ignored the following versions that require a different python version|is incompatible with the project's Python requirement|requires-python value"
         r"|Python version .{0,40} in (?:Pipfile|pyproject)",
         "the application or a package needs Python {wanted}{uv}{project}{pipenv}{not}, the image has {python}{poetry}",
         "Use a base image with that Python (write-dockerfile with base_images), or a release of the package that supports it."),
    sign(codes.PACKAGE_NOT_FOUND, r"DistributionNotFound: No matching distribution found for (?P<name>\S{1,100})", "the index has no package {name}", "Correct the name {name}, or configure its index."),
    sign(codes.DEPENDENCY_CONFLICT, r"Cannot install (?P<packages>.{1,200}?) because these package versions|ResolutionImpossible|conflicting dependencies|No solution found when resolving"
         r"|version solving failed|versions have conflicts|ResolutionTooDeep|resolution-too-deep|are incompatible",
         "the requirements conflict {packages}", "Loosen one of the pins that the log names: {packages}."),
    sign(codes.HASH_MISMATCH, r"THESE PACKAGES DO NOT MATCH THE HASHES|Hashes are required in --require-hashes mode|Hash mismatch for|Invalid hashes",
         "the hash of a package differs from the recorded one, or is missing",
         "Find out why it differs (another platform's wheel, a changed package), then lock again: `pip-compile --generate-hashes`."),
    sign(codes.PACKAGE_VERSION_NOT_FOUND, r"Could not find a version that satisfies the requirement (?P<requirement>[^\s(]{1,200}).{0,200}\(from versions: (?!none)",
         "there is no version that satisfies {requirement}",
         "Correct the version in {requirement}; the log lists the versions for this Python."),
    sign(codes.WORKSPACE_PACKAGE_NOT_FOUND, r"references a workspace in `tool\.uv\.sources`|is not a workspace member|Workspace member `(?P<member>[^`]{1,200})` is missing",
         "a member of the uv workspace is not in the image: {member}",
         "Build from the root of the workspace (context), and COPY the pyproject.toml of each member before {where}."),
    pattern(
        "build.project_not_installable",
        r"current project could not be installed|No file/folder found for package (?P<package>\S{1,100})|Readme file does not exist",
        "Poetry installs the project itself, and its source is not there yet {package}",
        means="Poetry tries to install the project as a package.",
        hint="Write `poetry install --no-root` in {where}, or set `package-mode = false` in pyproject.toml.",
    ),
    pattern(
        "build.python_externally_managed",
        r"externally-managed-environment",
        "pip refuses to install into Debian's own Python",
        means="pip protects the packages of the distribution.",
        hint="Create a virtual environment before {where} (`python3 -m venv /venv`), or use a python base image.",
    ),
    sign(codes.GIT_NOT_FOUND, r"Cannot find command 'git'|Git executable not found|git executable must be", "git is required and not in the image",
         "Install git before {where} (`apt-get install -y git`), or depend on a release instead of a repository."),
)  # fmt: skip

_BUILDS = (
    sign(codes.LINT_FAILED, r"^Found [1-9]\d{0,5} errors?(?: in \d| \()?|^(?P<place>[\w./-]{1,200}\.pyi?:\d+(?::\d+)?): error: .{1,300}\[[\w-]{1,40}\]$|would reformat|[1-9]\d{0,4} files? would be reformatted",
         "a type checker or linter found problems {place}", "Correct the lines in the log, or leave the check out of {where}."),
    sign(codes.LIBRARY_NOT_FOUND, r"(?P<pg>pg_config) executable not found|(?P<my>Can not find valid pkg-config name)|(?P<xml>Please make sure the libxml2 and libxslt)|(?P<jpeg>headers or library files could not be found for \w{1,20})"
         r"|fatal error: (?P<header>[\w./+-]{1,100}\.h(?:pp)?): No such file|cannot find -l(?P<lib>[\w.+-]{1,60})|ld: library not found for -l(?P<mac>[\w.+-]{1,60})",
         "a system library is missing: {pg}{my}{xml}{jpeg}{header}{lib}",
         "Install the development package of the library before {where}, and its run-time package in the final stage.",
         actions=libraries.advise),
    sign(codes.COMPILER_NOT_FOUND, r"command '(?P<compiler>[\w.+-]{1,60})' failed: No such file|error: \[Errno 2\] No such file or directory: '(?P<compiler>(?:[\w-]{0,30}gcc|cc|g\+\+|c\+\+|clang|make|cmake)[\w-]{0,20})'|(?P<rust>Cargo, the Rust package manager), is not installed|can't find (?P<rustc>Rust compiler)|error: (?P<cmake>CMake) must be installed|(?P<nasm>ninja|meson|patchelf): not found",
         "a package must be compiled and the image has no {compiler}{rust}{rustc}{cmake}{nasm}",
         "Install it before {where}, if possible in a build stage: `apt-get install -y build-essential` (Rust: cargo; CMake: "
         "cmake); or choose a release of the package that has a wheel for this Python."),
    sign(codes.COMPILE_ERROR, r"^\s{0,20}(?P<place>[^\s:]{1,200}\.(?:c|cc|cpp|h|pyx):\d+(?::\d+)?): (?:fatal )?error: (?P<problem>[^\n]{1,200})",
         "a package does not compile: {place} {problem}",
         "Choose a release of the package that supports the image's Python, or that has a wheel: {problem}."),
)  # fmt: skip

_RUNS = (
    sign(codes.PACKAGE_BUILD_FAILED, r"metadata-generation-failed|subprocess-exited-with-error(?!\n[\s\S]{0,40}git clone)|Failed to build (?!'git\+)`?(?P<uv>[^`\n]{1,200})|Failed building wheel for (?P<wheel>\S{1,100})|BackendUnavailable|build_wheel.{0,40}failed|ChefBuildError|Call to `[^`]{1,100}` failed|Cannot import '?[\w.]{1,80}'?|Could not build wheels",
         "a package cannot be built from source {wheel}{uv}",
         "Read the exception in the log. Choose a release that has a wheel for this Python, or give the build what it misses "
         "(a build dependency, a file that COPY brings)."),
    sign(codes.TESTS_FAILED, r"^={3,20} .{0,80}\b[1-9]\d{0,5} (?:failed|error)|^FAILED \(|^[1-9]\d{0,5} (?:failed|errors?)(?:, | in )|^FAILED [\w./-]{1,200}::",
         "tests failed in the build", "Correct the tests that the log names, or leave the tests out of {where}."),
    pattern(
        "build.setting_missing",
        r"ImproperlyConfigured: .{0,80}(?P<setting>STATIC_ROOT)|You're using the staticfiles app without having set the (?P<static>STATIC_ROOT)",
        "the Django setting {setting}{static} is not set",
        means="A management command needs a setting that the project does not define.",
        hint="Add `STATIC_ROOT = BASE_DIR / \"staticfiles\"` to the settings module.",
    ),
)  # fmt: skip

EARLY: tuple[FailurePattern, ...] = _FOREIGN
"""Foreign packages, which would else count as misspelt."""
PATTERNS: tuple[FailurePattern, ...] = (*_LOCKS, *_PACKAGES, *_BUILDS)
MISSING = sign(
    codes.PACKAGE_NOT_FOUND, r"No matching distribution found for (?P<requirement>\S{1,200})",
    "the index has no package {requirement}",
    "Correct the name {requirement}. If the package is private, configure its index, and pass its token as a build secret.",
)  # fmt: skip
LATE: tuple[FailurePattern, ...] = (*_RUNS, MISSING)
