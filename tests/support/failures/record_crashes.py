"""Start applications that end in containers, and keep what they print in `tests/stages/deploy/crashes`.

python tests/support/failures/record_crashes.py [NAME…]
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parents[2]
sys.path.insert(0, str(TESTS))

from support.failures.crash_cases import CASES, Crash  # noqa: E402

CRASHES = TESTS / "stages" / "deploy" / "crashes"
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def write_files(case: Crash, folder: Path) -> None:
    """Write the files of an application; scripts are executable unless `.modes` says otherwise."""
    for name, text in case.files.items():
        path = folder / name
        if name != ".modes":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, newline="")
            path.chmod(0o755 if text.startswith("#!") and ".modes" not in case.files else 0o644)


def run(case: Crash) -> tuple[int, str]:
    """Start an application; return its exit code and output."""
    with tempfile.TemporaryDirectory(prefix="shop-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        write_files(case, folder)
        command = ["docker", "run", "--rm", "--init", *case.options, "-v", f"{folder}:/app", "-w", "/app",
                   "-e", "NO_COLOR=1", "-e", "GOFLAGS=", "-e", "GOCACHE=/tmp/go",
                   "--entrypoint", "sh", case.image, "-c", case.command]  # fmt: skip
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              timeout=300, check=False)  # fmt: skip
        subprocess.run(
            ["docker", "run", "--rm", "-v", f"{folder}:/app", "debian:bookworm-slim", "sh", "-c", "rm -rf /app/*"],
            check=False,
        )
    text = _CONTROL.sub("", done.stdout.decode(errors="replace"))
    return done.returncode, "\n".join(line[:600] for line in text.split("\n")[-60:]).strip("\n")


def main() -> None:
    """Record all applications, or the named ones."""
    CRASHES.mkdir(exist_ok=True)
    for case in CASES:
        if sys.argv[1:] and not any(re.fullmatch(name, case.name) for name in sys.argv[1:]):
            continue
        code, output = run(case)
        shown = output.replace("\\", "\\\\").replace('"""', '\\"\\"\\"').replace("\r", "\\r")
        made = " ".join((*case.options, case.image, case.command))
        text = f'# docker run {made}\nexit_code = {code}\nlog = """\n{shown}\n"""\n'
        (CRASHES / f"{case.name}.toml").write_text(text)
        sys.stderr.write(f"{case.name}: {code}: {output[-100:]!r}\n")


if __name__ == "__main__":
    main()
