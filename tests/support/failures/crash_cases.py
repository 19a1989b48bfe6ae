"""Applications that end at their start, by the program that ends: how each is provoked in a container."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

PY, NODE, RUBY, PHP = "python:3.11-slim", "node:20-slim", "ruby:3.3-slim", "php:8.4-cli"
GO, JAVA, DEBIAN, DENO = "golang:1.24-bookworm", "eclipse-temurin:17-jdk", "debian:bookworm-slim", "denoland/deno:2"
ARM: Final = (
    r'printf "\177ELF\002\001\001\000\000\000\000\000\000\000\000\000\002\000\267\000" > x; chmod +x x; exec ./x'
)


@dataclass(frozen=True)
class Crash:
    """One application: its files in `/app`, and the command that ends."""

    name: str
    image: str
    command: str
    files: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ("--network", "none")
    """Options of `docker run`."""


def py(name: str, code: str, command: str = "python main.py", **more: str) -> Crash:
    """Return a Python application."""
    return Crash(
        name, PY, command, {"main.py": code, **{key.replace("__", "/") + ".py": text for key, text in more.items()}}
    )


def js(name: str, code: str, command: str = "node index.js", **files: str) -> Crash:
    """Return a Node.js application."""
    return Crash(name, NODE, command, {"index.js": code, **files})


CASES = (
    Crash("crlf-shebang", DEBIAN, "exec ./start.sh", {"start.sh": "#!/bin/bash\r\nexec sleep 1\r\n"}),
    Crash("crlf-env", PY, "exec ./run.py", {"run.py": "#!/usr/bin/env python\r\nprint(1)\r\n"}),
    Crash("crlf-inside", DEBIAN, "sh /app/start.sh", {"start.sh": "set -e\r\nexec sleep 1\r\n"}),
    Crash("not-executable", DEBIAN, "/app/start.sh", {"start.sh": "#!/bin/sh\n", ".modes": "start.sh 644"}),
    Crash("interpreter-missing", DEBIAN, "exec ./run.py", {"run.py": "#!/usr/bin/env python3\n"}),
    Crash("shell-missing", DEBIAN, "exec ./run", {"run": "#!/bin/zsh\n"}),
    Crash("architecture", DEBIAN, ARM),
    Crash("command-missing", DEBIAN, "exec gunicorn app:app"),
    Crash("tsx-missing", NODE, "npm start", {"package.json": '{"scripts": {"start": "tsx src/index.ts"}}'}),
    Crash("script-missing", NODE, "npm run serve", {"package.json": '{"scripts": {}}'}),
    Crash("bad-argument", PY, "python -m http.server --wrokers 4"),
    Crash("port-text", PY, "python -m http.server '$PORT'"),
    py("module", "import flask\n"),
    py("file", "open('prices.json')\n"),
    py("syntax", "def f(:\n"),
    py("python-version", "from enum import StrEnum\nfrom typing import override\n"),
    py("removed-module", "import tomllib, distutils_zz\n"),
    py("circular", "import a\n", a="import b\nX = 1\n", b="from a import X\n"),
    py("letter-case", "from Lib import prices\n", lib__prices="X = 1\n", lib____init__=""),
    py("variable", "import os\nKEY = os.environ['STRIPE_API_KEY']\n"),
    py(
        "variables",
        "import os, sys\nmissing = [n for n in ('STRIPE_API_KEY', 'SHOP_NAME') if n not in os.environ]\nif missing:\n    sys.exit('Missing required environment variables: ' + ', '.join(missing))\n",
    ),
    py("exception", "def start():\n    return {}['prices'].items()\nstart()\n"),
    py(
        "postgres-refused",
        "import socket\ntry:\n    socket.create_connection(('127.0.0.1', 5432))\nexcept OSError as e:\n    raise RuntimeError('connection to server at \"127.0.0.1\", port 5432 failed: Connection refused. Is the server running on that host (psycopg)?') from e\n",
    ),
    py("redis-refused", "import socket\nsocket.create_connection(('127.0.0.1', 6379))\n# redis\n"),
    py("dns", "import socket\nsocket.create_connection(('db', 5432))\n"),
    py("sqlite-table", "import sqlite3\nsqlite3.connect(':memory:').execute('select * from orders')\n"),
    Crash(
        "privileged-port",
        PY,
        "python -m http.server 80",
        {},
        ("--user", "1000", "--sysctl", "net.ipv4.ip_unprivileged_port_start=1024", "--cap-drop", "ALL"),
    ),
    py("in-use", "import http.server, socket\ns = socket.create_server(('', 8000))\nhttp.server.test(port=8000)\n"),
    Crash("read-only", PY, "python main.py", {"main.py": "open('/var/lib/state.db', 'w')\n"}, ("--read-only",)),
    Crash("denied", PY, "python main.py", {"main.py": "open('/etc/shadow')\n"}, ("--user", "1000")),
    py("disk-full", "f = open('/dev/full', 'w')\nf.write('x' * 10000)\nf.flush()\n"),
    Crash(
        "open-files",
        PY,
        "python main.py",
        {"main.py": "f = [open('/dev/null') for _ in range(100)]\n"},
        ("--ulimit", "nofile=32"),
    ),
    Crash(
        "threads",
        PY,
        "python main.py",
        {
            "main.py": "import threading, time\nfor _ in range(50):\n    threading.Thread(target=time.sleep, args=(1,), daemon=True).start()\n"
        },
        ("--pids-limit", "10"),
    ),
    py("memory", "x = 'x' * (1 << 60)\n"),
    py("prompt", "input('Do you accept the licence? ')\n"),
    py("segfault", "import ctypes\nctypes.string_at(0)\n"),
    py("abort", "import os\nos.abort()\n"),
    py(
        "terminated",
        "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nimport time\ntime.sleep(5)\n",
        "python main.py & wait $!",
    ),
    py("ended", "print('imported 3 prices')\n"),
    py("library", "import ctypes\nctypes.CDLL('libGL.so.1')\n"),
    py(
        "tls",
        "import ssl\nraise ssl.SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate')\n",
    ),
    py("url", "import urllib.parse, os\nPORT = int(os.environ.get('PORT') or 'abc')\n"),
    js("node-module", "require('express')\n"),
    js("node-build-output", "", "node dist/main.js"),
    js("node-file", "require('./routes/orders')\n"),
    js("node-case", "require('./lib/Utils')\n", **{"lib/utils.js": ""}),
    js("node-esm", "import http from 'http'\n", **{"package.json": '{"type": "commonjs"}'}),
    js("node-cjs", "const http = require('http')\n", **{"package.json": '{"type": "module"}'}),
    js("node-syntax", "const = 1\n"),
    js("node-exception", "const config = undefined\nconsole.log(config.port)\n"),
    js("node-variable", "if (!process.env.API_URL) throw new Error('API_URL is not set')\n"),
    js(
        "node-in-use",
        "const http = require('http')\nhttp.createServer().listen(3000, () => http.createServer().listen(3000))\n",
    ),
    js("node-refused", "require('net').connect(27017, '127.0.0.1')  // mongodb\n"),
    js("node-amqp", "require('net').connect(5672, '127.0.0.1')\n"),
    js(
        "node-dns",
        "require('net').connect(5432, 'postgres')\n",
    ),
    js(
        "node-heap",
        "const a = []; for (;;) a.push(new Array(1000).fill({}))\n",
        "node --max-old-space-size=16 index.js",
    ),
    js("node-native", "require('./addon.node')\n", **{"addon.node": "not a library"}),
    js("node-before-init", "console.log(total)\nconst total = 1\n"),
    js(
        "node-typescript",
        "",
        "node src/index.ts",
        **{"src/index.ts": "const n: number = 1\n", "package.json": '{"type": "module"}'},
    ),
    js("node-option", "", "node --wrong-option index.js"),
    Crash(
        "node-denied",
        NODE,
        "node index.js",
        {"index.js": "require('fs').writeFileSync('/app/state.json', '')\n"},
        ("--user", "4000"),
    ),
    Crash(
        "node-next",
        NODE,
        "node index.js",
        {
            "index.js": "throw new Error(\"Could not find a production build in the '.next' directory. Try building your app with 'next build'\")\n"
        },
    ),
    Crash("ruby-gem", RUBY, "ruby main.rb", {"main.rb": "require 'sinatra'\n"}),
    Crash("ruby-variable", RUBY, "ruby main.rb", {"main.rb": "ENV.fetch('SECRET_KEY_BASE')\n"}),
    Crash("ruby-exception", RUBY, "ruby main.rb", {"main.rb": "def start\n  nil.upcase\nend\nstart\n"}),
    Crash("ruby-refused", RUBY, "ruby main.rb", {"main.rb": "require 'socket'\nTCPSocket.new('127.0.0.1', 6379)\n"}),
    Crash("php-class", PHP, "php main.php", {"main.php": "<?php\nnew Shop\\Prices();\n"}),
    Crash("php-autoload", PHP, "php main.php", {"main.php": "<?php\nrequire 'vendor/autoload.php';\n"}),
    Crash("php-syntax", PHP, "php main.php", {"main.php": "<?php\nfunction ( {\n"}),
    Crash(
        "php-memory", PHP, "php -d memory_limit=2M main.php", {"main.php": "<?php\n$a = str_repeat('x', 9000000);\n"}
    ),
    Crash("php-missing", PHP, "php artisan serve"),
    Crash("go-panic", GO, "go run main.go", {"main.go": 'package main\n\nfunc main() { panic("no prices") }\n'}),
    Crash(
        "go-refused",
        GO,
        "go run main.go",
        {
            "main.go": 'package main\n\nimport (\n\t"log"\n\t"net"\n)\n\nfunc main() {\n\t_, err := net.Dial("tcp", "127.0.0.1:5432")\n\tlog.Fatal("postgres: ", err)\n}\n'
        },
    ),
    Crash("java-class", JAVA, "java Main", {"Main.java": ""}),
    Crash("java-jar", JAVA, "java -jar target/app.jar"),
    Crash(
        "java-exception",
        JAVA,
        "java Main.java",
        {
            "Main.java": 'class Main { public static void main(String[] a) { throw new IllegalStateException("no prices"); } }\n'
        },
    ),
    Crash(
        "java-memory",
        JAVA,
        "java -Xmx8m Main.java",
        {
            "Main.java": "class Main { public static void main(String[] a) { var l = new java.util.ArrayList<byte[]>(); while (true) l.add(new byte[1 << 20]); } }\n"
        },
    ),
    Crash(
        "java-refused",
        JAVA,
        "java Main.java",
        {
            "Main.java": 'class Main { public static void main(String[] a) throws Exception { new java.net.Socket("127.0.0.1", 3306); } }\n'
        },
    ),
    Crash("sh-variable", DEBIAN, "sh start.sh", {"start.sh": ': "${DATABASE_URL:?must be set}"\n'}),
    Crash("sh-syntax", DEBIAN, "sh start.sh", {"start.sh": "if true; then\n"}),
)
