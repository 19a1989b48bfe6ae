"""Give Debian's CPython in /usr/local the layout of an unchanged one: `relocate_python.py FOLDER-WITH-THE-SOURCE`."""

import marshal
import pprint
import re
import runpy
import sys
import tarfile
from pathlib import Path, PurePosixPath

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
LOCAL = Path("/usr/local")
LIBRARY = LOCAL / "lib" / f"python{VERSION}"

# Debian changes these for its layout; all other modules keep its security fixes.
LAYOUT = re.compile(r"(site\.py|sysconfig\.py|gettext\.py|(sysconfig|distutils|ensurepip|dbm|tkinter)/.*)")
CHANGES = {
    "site.py": {
        r"^    is_virtual_environment = .*?\n\n": "",
        r"^            if is_virtual_environment:.*?# this one is deprecated for Debian\n": "",
        r'"dist-packages"\)$': '"site-packages")',
    },
    "sysconfig/__init__.py": {
        r"^    'deb_system': \{.*?^    'posix_local': \{.*?^ +\},\n": "",
        r"'posix_home', 'posix_local', 'deb_system'\)": "'posix_home')",
        r"^    if sys\.base_prefix != sys\.prefix or hasattr.*?prefix_scheme = 'posix_local'\n\n": "",
        r"'prefix': prefix_scheme": "'prefix': 'posix_prefix'",
    },
    "ensurepip/__init__.py": {r"^    _ensurepip_is_disabled_in_debian_for_system\(\)\n": ""},
}
TESTS = {"test", "tests", "idle_test", "__pycache__"}
PATH_VARIABLES = re.compile(
    r"prefix|exec_prefix|datarootdir|BINDIR|EXENAME|SCRIPTDIR|MANDIR|INCLUDEDIR|INCLUDEPY|CONFINCLUDE\w*"
    r"|INCLDIRSTOMAKE|LIBDIR|LIBPC|LIBPL|LIBDEST|BINLIBDEST|DEST\w*|MACHDESTLIB"
)


def main() -> None:
    """Copy the unchanged modules, then rewrite every record of the old place."""
    archives = list(Path(sys.argv[1]).glob("*.orig.tar.?z"))
    if archives:
        copy_modules(archives[0])
    else:
        restore_modules()
    (LIBRARY / "site-packages").mkdir(exist_ok=True)
    replace_frozen_site()
    rewrite_build_variables()
    rewrite_configuration_programs()
    write_programs()


def copy_modules(archive: Path) -> None:
    """Copy what Debian changes for its layout, and what it has in other packages, but no tests."""
    with tarfile.open(archive) as source:
        for member in source:
            path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
            if not member.isfile() or path.parts[0] != "Lib" or TESTS & set(path.parts):
                continue
            target = LIBRARY.joinpath(*path.parts[1:])
            name = str(path.relative_to("Lib"))
            if LAYOUT.fullmatch(name) or not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.unlink(missing_ok=True)
                with source.extractfile(member) as content:  # type: ignore[union-attr] # it is a file
                    target.write_bytes(content.read())


def restore_modules() -> None:
    """Take back Debian's changes to the modules that decide the layout."""
    for name, changes in CHANGES.items():
        file = LIBRARY / name
        text = file.read_text()
        for pattern, replacement in changes.items():
            text, count = re.subn(pattern, replacement, text, flags=re.DOTALL | re.MULTILINE)
            if count == 0:
                sys.exit(f"{name} does not have the change of Debian that is to be taken back: {pattern}")
        file.unlink()
        file.write_text(text)


def replace_frozen_site() -> None:
    """Replace the compiled `site` module inside the program and the shared library by the unchanged one."""
    import _imp

    found = _imp.find_frozen("site", withdata=True)
    if not found or found[0] is None:
        return  # linked with the unchanged module already
    old = bytes(found[0])
    new = marshal.dumps(compile((LIBRARY / "site.py").read_bytes(), "<frozen site>", "exec"))
    if len(new) > len(old):
        sys.exit("the unchanged site module does not fit")
    for file in (LOCAL / "bin" / f"python{VERSION}", LOCAL / "lib" / f"libpython{VERSION}.so.1.0"):
        program = file.read_bytes()
        if program.count(old) != 1:
            sys.exit(f"{file} does not hold Debian's site module once")
        copy = file.with_suffix(".new")
        copy.write_bytes(program.replace(old, new.ljust(len(old), b"\0")))
        copy.chmod(0o755)
        copy.replace(file)


def rewrite_build_variables() -> None:
    """Rewrite the variables from which extension modules are built."""
    for file in LIBRARY.glob("_sysconfigdata_*.py"):
        if not file.is_symlink():
            variables = runpy.run_path(str(file))["build_time_vars"]
            local = {name: rewrite_value(name, value) for name, value in variables.items()}
            file.write_text(f"build_time_vars = {pprint.pformat(local)}\n")
    for file in LIBRARY.glob("config-*/Makefile"):
        file.write_text(re.sub(r"^(\w+)(\s*=)(.*)$", rewrite_line, file.read_text(), flags=re.MULTILINE))


def rewrite_line(line: re.Match[str]) -> str:
    """Rewrite one assignment of a Makefile."""
    return line[1] + line[2] + str(rewrite_value(line[1], line[3]))


def rewrite_value(name: str, value: object) -> object:
    """Return the value that an unchanged build in /usr/local has."""
    if not isinstance(value, str):
        return value
    if name == "WHEEL_PKG_DIR":
        return ""
    value = re.sub(r"\b\w+-linux-gnu-(gcc|g\+\+)", r"\1", value)
    return rewrite_path(value) if PATH_VARIABLES.fullmatch(name) else value


def rewrite_path(text: str) -> str:
    """Return the text with its paths below /usr/local."""
    text = re.sub(r"/usr/lib/\w+-linux-gnu", "/usr/lib", text)
    return re.sub(r"/usr\b(?!/local)", "/usr/local", text)


def rewrite_configuration_programs() -> None:
    """Rewrite python-config and the files of pkg-config."""
    config = LOCAL / "bin" / f"python{VERSION}-config"
    config.write_text(rewrite_path(config.read_text()).replace('PY_ENABLE_SHARED="0"', 'PY_ENABLE_SHARED="1"'))
    for file in (LOCAL / "lib" / "pkgconfig").glob(f"python-{VERSION}*.pc"):
        text = re.sub(r" -I\S+-linux-gnu/\S+", "", file.read_text())
        file.write_text(rewrite_path(text))
        (file.parent / file.name.replace(VERSION, "3")).symlink_to(file.name)


def write_programs() -> None:
    """Write the small programs that `make install` of an unchanged build writes."""
    programs = {
        f"idle{VERSION}": ("from idlelib.pyshell import main\nmain()\n", "idle3"),
        f"pydoc{VERSION}": ("import pydoc\npydoc.cli()\n", "pydoc3"),
    }
    if (LIBRARY / "lib2to3").is_dir():
        programs[f"2to3-{VERSION}"] = (
            "import sys\nfrom lib2to3.main import main\nsys.exit(main('lib2to3.fixes'))\n",
            "2to3",
        )
    for name, (text, link) in programs.items():
        file = LOCAL / "bin" / name
        file.write_text(f"#!{LOCAL}/bin/python{VERSION}\n{text}")
        file.chmod(0o755)
        (LOCAL / "bin" / link).symlink_to(name)


if __name__ == "__main__":
    main()
