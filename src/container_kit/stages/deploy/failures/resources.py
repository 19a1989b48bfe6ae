"""Causes in what a container may use: ports, files, memory, time and the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from container_kit.stages.contract.fault import NextAction
from container_kit.stages.deploy.failures.cause import Facts, cause, rebuild
from container_kit.stages.deploy.failures.crash import Crash


def _high_port(_crash: Crash, _facts: Facts) -> Sequence[NextAction]:
    why = "Make the application listen on a port above 1023, for example with PORT"
    return [NextAction(why=why, arguments={"env": {"PORT": "8080"}, "container_port": 8080}), rebuild(why)]


def _writable(_crash: Crash, _facts: Facts) -> Sequence[NextAction]:
    return [NextAction(why="Make the container's file system writable", arguments={"read_only": False})]


def _is_privileged(_: Crash, facts: Facts) -> bool:
    return not facts["port"] or int(facts["port"]) < 1024


CAUSES = (
    cause(
        "deploy.port_privileged",
        "The application's user may not listen on a port below 1024.",
        (
            r"listen EACCES:? (?:permission denied )?\S{0,60}:(?P<port>\d{1,5})",
            r"bind[^\n]{0,60}:(?P<port>\d{1,5})[^\n]{0,20}(?:failed )?\(?(?:13: )?[Pp]ermission denied",
            r"(?:listen tcp|bind)[^\n]{0,40}:(?P<port>\d{1,5}): bind: permission denied",
            r"PermissionError: \[Errno 13\] [^\n]{0,40}(?:\('\S{0,40}', (?P<port>\d{1,5})\)|attempting to bind)",
            r"\.bind\([^\n]{0,80}\)\n(?:[^\n]{0,80}\^[^\n]{0,80}\n)?PermissionError: \[Errno 13\]",
            r"[Cc]an't connect to \('\S{0,60}', (?P<port>\d{1,5})\)[^\n]{0,40}|Permission denied[^\n]{0,60}bind\(2\) for [^\n]{0,40}port (?P<port>\d{1,5})",
            r"could not bind to address \S{0,40}:(?P<port>\d{1,5})|make_sock: could not bind",
        ),
        "the application may not listen on port {port}",
        "Listen on a port above 1023, for example 8080, and EXPOSE it",
        actions=_high_port,
        when=_is_privileged,
    ),
    cause(
        "deploy.address_in_use",
        "Two processes in the container listen on one address.",
        (
            r"EADDRINUSE[^\n]{0,80}?:(?P<port>\d{1,5})",
            r"(?:[Aa]ddress (?:already )?in use|Only one usage of each socket|EADDRINUSE|Port (?P<port>\d{1,5}) (?:is )?(?:already )?in use)",
            r"WinError 10048|is already in use by another process",
        ),
        "another process in the container listens on the same address {port}",
        "Start the server once: remove the second start from the entrypoint or the code, or give one of them another port",
    ),
    cause(
        "deploy.read_only_file_system",
        "The application writes to a read-only file system.",
        (
            r"(?:EROFS|[Rr]ead-only file system)[^\n]{0,120}?['\"(](?P<path>/[\w./ -]{1,200})",
            r"['\"(\s](?P<path>/[\w./-]{1,200})['\")]?:? [^\n]{0,40}[Rr]ead-only file system",
            r"[Rr]ead-only file system|EROFS|attempt to write a readonly database|unable to open database file",
        ),
        "the application wrote to a read-only file system: {path}",
        "Mount a volume at the folder that it writes to, write to /tmp, or deploy with read_only=false",
        actions=_writable,
    ),
    cause(
        "deploy.disk_full",
        "A disk or a temporary file system is full.",
        (
            r"[Nn]o space left on device(?![^\n]{0,60}watch)",
            r"\bENOSPC\b(?![^\n]{0,80}watch)",
            r"database or disk is full|[Dd]isk quota exceeded",
        ),
        "no space is left where the application writes",
        "Free space on the engine's disk; /tmp is small, so write large files to a volume",
        retryable=True,
    ),
    cause(
        "deploy.watch_limit",
        "The application watches more files than the machine allows, as development servers do.",
        (
            r"System limit for number of file watchers reached|inotify (?:watch|instance)[^\n]{0,40}limit|ENOSPC[^\n]{0,80}watch",
        ),
        "the application watches files, as a development server does",
        "Start the production server instead of a watching one (no nodemon, --reload, --watch, `npm run dev`)",
    ),
    cause(
        "deploy.too_many_files",
        "The application has too many open files.",
        (r"EMFILE|ENFILE|[Tt]oo many open files",),
        "the application has too many open files",
        "Close files and connections, or limit the pool; the container's limit is that of the engine (`ulimit -n`)",
    ),
    cause(
        "deploy.too_many_processes",
        "The application starts more processes or threads than the container may have.",
        (
            r"can't start new thread|[Rr]esource temporarily unavailable|unable to create (?:new )?native thread",
            r"fork: (?:retry: )?[^\n]{0,40}|pthread_create[^\n]{0,60}failed|EAGAIN[^\n]{0,40}(?:spawn|fork)",
        ),
        "the application starts more processes or threads than it may have",
        "Start fewer workers (WEB_CONCURRENCY, --workers, --threads)",
    ),
    cause(
        "deploy.out_of_memory",
        "The application needs more memory than its limit.",
        (
            r"OutOfMemoryError|heap out of memory|^MemoryError|[Cc]annot allocate memory|std::bad_alloc|ENOMEM",
            r"Allowed memory size of \d{1,15} bytes exhausted|was sent SIGKILL! Perhaps out of memory|runtime: out of memory|NoMemoryError",
        ),
        "the application needs more memory than it may use",
        "Deploy with more memory_mb, or make the application use less",
    ),
    cause(
        "deploy.permission_denied",
        "The application's user has no permission to read, write or execute a file.",
        (
            r"(?:[Pp]ermission denied|EACCES|EPERM|[Oo]peration not permitted|Permission non accord)[^\n]{0,80}?['\"(](?P<path>/[\w./-]{1,200})",
            r"(?:UnauthorizedAccessException|AccessDeniedException)[^\n]{0,60}?(?P<path>/[\w./-]{1,200})",
            r"(?P<path>/[\w./-]{1,200})['\")]?:? [^\n]{0,40}(?:[Pp]ermission denied|not permitted|not writable)",
            r"[Pp]ermission denied|\bEACCES\b|\bEPERM\b|[Oo]peration not permitted|Errno 13",
        ),
        "user {user} was denied a permission: {path}",
        "Give user {user} access in the Dockerfile (`COPY --chown={user}`, or `RUN chown -R {user} {path}`)",
    ),
    cause(
        "deploy.terminal_prompt",
        "The program asks a question on a terminal, and a container has none.",
        (
            r"EOFError: EOF when reading a line|[Tt]he input device is not a TTY|not a (?:tty|TTY|terminal)|Inappropriate ioctl for device|setRawMode is not a function",
            r"(?P<question>(?:Would you like to|Do you (?:want|accept|agree)|Are you sure|Please (?:accept|confirm|enter|type))[^\n]{1,160})",
            r"(?P<question>[^\n]{0,120}(?:\[[yY]/[nN]\]|\([yY]/[nN]\)|\[yes/no\])[^\n]{0,20})",
            r"(?P<question>[^\n]{0,80}(?:EULA|licen[cs]e (?:agreement|terms))[^\n]{0,80}(?:accept|agree)[^\n]{0,60}|accept the (?:EULA|licen[cs]e)[^\n]{0,80})",
            r"(?P<question>[^\n]{0,60}anonymous usage data[^\n]{0,80}\?)",
        ),
        "the program waits for an answer on a terminal: {question}",
        "Answer by an argument or variable of the program (--yes, CI=1, ACCEPT_EULA=Y, NG_CLI_ANALYTICS=false), since a "
        "container has no terminal",
    ),
    cause(
        "deploy.clock_skew",
        "The clock of the container and that of a peer differ.",
        (
            r"certificate is not yet valid|not yet valid: current time|RequestTimeTooSkewed|[Ss]ignature (?:not yet current|expired)|issued in the future|[Cc]lock (?:skew|drift)|CERT_NOT_YET_VALID|nbf claim",
        ),
        "the clock of the engine's machine differs from that of a peer",
        "Set the clock of the engine's machine (NTP); containers use its clock",
        retryable=True,
    ),
    cause(
        "deploy.tls_untrusted",
        "The application does not trust the certificate of a server that it calls.",
        (
            r"CERTIFICATE_VERIFY_FAILED|unable to get local issuer certificate|UNABLE_TO_(?:GET_ISSUER_CERT|VERIFY_LEAF)\w{0,20}|SELF_SIGNED_CERT\w{0,20}|self[- ]signed certificate",
            r"x509: certificate signed by unknown authority|x509: failed to load system roots|PKIX path building failed|certificate verify failed|UntrustedRoot",
        ),
        "the certificate of a server is not trusted in the container",
        "Install ca-certificates in the final stage, and for a private CA add its PEM file (NODE_EXTRA_CA_CERTS, SSL_CERT_FILE)",
    ),
    cause(
        "deploy.worker_timeout",
        "A worker of the server did not answer in time.",
        (r"WORKER TIMEOUT|Worker \(pid:\d{1,9}\) was sent SIG|worker \d{1,9} killed|HARAKIRI",),
        "a worker of the server does not answer in time",
        "Raise the server's time limit (gunicorn --timeout), or move slow work out of the start of the worker",
    ),
)
