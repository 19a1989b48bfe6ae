"""A simulation of macOS and Windows for the modules of Container Kit: `pytest --simulate darwin|win32`.

The modules see `os`, `sys`, `socket`, `signal` and others without the members that the platform does not have. Python's
library and third-party packages keep this machine's. It shows that no code path needs such a member; it does not show
that the platform's own ones work, which CI on that platform does.
"""

from __future__ import annotations

import builtins
import errno
import fcntl
import importlib.abc
import importlib.machinery
import os
import pathlib
import signal
import socket
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any, Literal

Platform = Literal["darwin", "win32"]

PACKAGE = "container_kit"
_DARWIN_SUN_PATH = 104
"""The size of a Unix socket's address with its NUL (sys/un.h of macOS)."""
_NO_XATTRS = {"listxattr", "getxattr", "setxattr", "removexattr"}
_MISSING: dict[Platform, dict[str, set[str]]] = {
    "darwin": {"os": {*_NO_XATTRS, "memfd_create", "sched_getaffinity", "pidfd_open"}},
    "win32": {
        "os": {
            *_NO_XATTRS, "memfd_create", "sched_getaffinity", "pidfd_open", "O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY",
            "O_NONBLOCK", "fork", "forkpty", "getuid", "geteuid", "getgid", "getegid", "getgroups", "setsid", "killpg",
            "getpgid", "chown", "lchown", "fchown", "fchmod", "statvfs", "mkfifo", "setuid", "seteuid",
            "register_at_fork", "wait4", "uname", "nice", "chroot", "sysconf", "pread", "pwrite",
        },
        "socket": {"AF_UNIX", "CMSG_LEN", "recv_fds", "send_fds"},
        "signal": {"SIGKILL", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "SIGPIPE", "SIGQUIT", "alarm"},
    },
}  # fmt: skip
_NO_MODULES: dict[Platform, set[str]] = {"darwin": set(), "win32": {"fcntl", "pwd", "grp", "resource", "termios"}}


class _Simulated(types.ModuleType):
    """A module without some members, and with others."""

    def __init__(self, real: types.ModuleType, missing: set[str], changed: dict[str, Any]) -> None:
        super().__init__(real.__name__, real.__doc__)
        self.__dict__.update(changed)
        self.__dict__["_real"], self.__dict__["_missing"] = real, missing
        self.__dict__["__all__"] = [name for name in getattr(real, "__all__", dir(real)) if name not in missing]

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__["_missing"]:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self)
        return getattr(self.__dict__["_real"], name)


def _without_descriptors(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that rejects `dir_fd`, as on Windows."""

    def limited(*arguments: Any, **options: Any) -> Any:
        if any(options.get(name) is not None for name in ("dir_fd", "src_dir_fd", "dst_dir_fd")):
            raise NotImplementedError("dir_fd unavailable on this platform")
        return call(*arguments, **options)

    return limited


def _windows_os() -> dict[str, Any]:
    calls = ("open", "stat", "mkdir", "rename", "unlink", "readlink", "link", "access", "rmdir", "symlink", "utime")
    return {
        "name": "nt",
        "supports_dir_fd": set[Any](),
        "supports_follow_symlinks": {os.stat},
        "supports_effective_ids": set[Any](),
        "O_BINARY": 0,
        **{name: _without_descriptors(getattr(os, name)) for name in calls},
    }


class _LimitedSocket(socket.socket):
    """A socket on a machine whose loopback interface has only 127.0.0.1 and ::1."""

    def _check(self, address: Any) -> None:
        if self.family == socket.AF_INET and isinstance(address, tuple):
            host = str(address[0])
            if host.startswith("127.") and host != "127.0.0.1":
                raise OSError(errno.EADDRNOTAVAIL, "Can't assign requested address")
        if self.family == socket.AF_UNIX and len(os.fsencode(address)) >= _DARWIN_SUN_PATH:
            raise OSError("AF_UNIX path too long")

    def bind(self, address: Any) -> None:
        self._check(address)
        super().bind(address)

    def connect(self, address: Any) -> None:
        self._check(address)
        super().connect(address)


def _locking(descriptor: int, mode: int, _: int) -> None:
    """Lock as `msvcrt.locking` does without waiting: an OSError if another open file has the lock."""
    unlock = mode == 0
    fcntl.flock(descriptor, fcntl.LOCK_UN if unlock else fcntl.LOCK_EX | fcntl.LOCK_NB)


def _msvcrt() -> types.ModuleType:
    module = types.ModuleType("msvcrt")
    module.__dict__.update(locking=_locking, LK_UNLCK=0, LK_LOCK=1, LK_NBLCK=2)
    return module


class _Importer:
    """The `__import__` of the modules of Container Kit."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        missing = _MISSING[platform]
        sockets: dict[str, Any] = {"socket": _LimitedSocket}
        windows = platform == "win32"
        self._modules: dict[str, types.ModuleType] = {
            "os": _Simulated(os, missing["os"], _windows_os() if windows else {}),
            "sys": _Simulated(sys, set(), {"platform": platform}),
            "socket": _Simulated(socket, missing.get("socket", set()), sockets),
            "signal": _Simulated(signal, missing.get("signal", set()), {"SIGBREAK": signal.SIGUSR1} if windows else {}),
        }
        if windows:
            self._modules["msvcrt"] = _msvcrt()

    def __call__(
        self,
        name: str,
        namespace: dict[str, Any] | None = None,
        local: dict[str, Any] | None = None,
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> Any:
        if level == 0 and name.partition(".")[0] in _NO_MODULES[self._platform]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if level == 0 and name in self._modules:
            return self._modules[name]
        return builtins.__import__(name, namespace, local, fromlist, level)


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module with the simulated `__import__`."""

    importer: _Importer

    def exec_module(self, module: types.ModuleType) -> None:
        module.__dict__["__builtins__"] = {**builtins.__dict__, "__import__": self.importer}
        super().exec_module(module)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, loader: type[_Loader]) -> None:
        self._loader = loader

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] != PACKAGE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is importlib.machinery.SourceFileLoader:
            spec.loader = self._loader(spec.loader.name, spec.loader.path)
        return spec


def install(platform: Platform) -> None:
    """Simulate a platform for all modules of Container Kit that are imported from now on."""
    loaded = [name for name in sys.modules if name.partition(".")[0] == PACKAGE]
    assert not loaded, f"too late: {loaded[0]} is loaded"

    class Loader(_Loader):
        importer = _Importer(platform)

    sys.meta_path.insert(0, _Finder(Loader))
    if platform == "win32":
        _limit_event_loop()


def _limit_event_loop() -> None:
    """Reject signal handlers of the event loop, as on Windows."""
    from asyncio.unix_events import _UnixSelectorEventLoop as Loop

    def reject(*_: Any) -> None:
        raise NotImplementedError

    Loop.add_signal_handler = reject  # type: ignore[method-assign, assignment]


def command(platform: Platform, *arguments: str) -> list[str]:
    """Return the command that runs `container-kit` in another process under the simulation."""
    support = str(pathlib.Path(__file__).parent.parent)
    code = (
        f"import sys; sys.path.insert(0, {support!r}); sys.argv[0] = 'container-kit'; "
        f"from support.simulation import install; install({platform!r}); "
        "from container_kit.server.cli.main import main; sys.exit(main())"
    )
    return [sys.executable, "-c", code, *arguments]
