"""Reads Dockerfiles that are made to keep a reader busy. Prints processor seconds for each, and the memory in all."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

from container_kit.stages.contract.fault import StageFailure
from container_kit.stages.formats.dockerfile import configuration_of, parse_dockerfile

N = 1_000_000
FROM = "FROM a\n"

TEXTS = {
    "here-document of empty lines": FROM + "RUN <<E\n" + "\n" * 20_000 + "E\n",
    "here-document of long lines": FROM + "RUN <<E\n" + ("x" * 50 + "\n") * 4_400 + "E\n",
    "here-document of a megabyte": FROM + "RUN <<E\n" + ("x" * 500 + "\n") * 1_800 + "E\n",
    "here-document without an end": FROM + "RUN <<E\n" + ("x" * 50 + "\n") * 4_400,
    "many here-documents": FROM + "COPY " + "<<E " * 7_000 + "/x\n" + "E\n" * 7_000,
    "many here-document instructions": FROM + "COPY <<E /x\nE\n" * 2_000,
    "long name of a here-document": FROM + "RUN <<" + "E" * 32_000 + "\n",
    "long name of a here-document in quotes": FROM + 'RUN <<"' + "E " * 16_000 + '"\n',
    "many words that open a here-document": FROM + ("RUN " + "<<" * 499 + "\n") * 900,
    "here-documents in a comment": FROM + "# <<E\n" + "RUN x\n" * 20_000,
    "longest instruction": FROM + "RUN " + "x" * 32_700 + "\n",
    "longest here-document instruction": FROM + "RUN <<E " + "$" * 32_700 + "\nE\n",
    "too long an instruction": FROM + "RUN " + "x" * 60_000 + "\n",
    "too long a line": FROM + "RUN " + "x" * 70_000 + "\n",
    "continued lines": FROM + "RUN a " + "x\\\n" * 10_000 + "b\n",
    "continued lines of a megabyte": FROM + "RUN a " + ("x" * 100 + "\\\n") * 9_000 + "b\n",
    "continued by the other escape": "# escape=`\n" + FROM + "RUN a " + ("x" * 100 + "`\n") * 9_000 + "b\n",
    "ever continued empty lines": FROM + "RUN a\\\n" + "\n" * 20_000,
    "nested ONBUILD": FROM + "ONBUILD " * 4_000 + "RUN x\n",
    "many ONBUILD": FROM + "ONBUILD RUN x\n" * 20_000,
    "nested arrays": FROM + "RUN " + "[" * 32_000 + "\n",
    "many instructions": FROM + "RUN x\n" * 20_000,
    "many wrong instructions": FROM + "RUNN x\n" * 20_000,
    "a wrong instruction at the end": FROM + "ENV A=1\n" * 20_000 + "ENV A\n",
    "a long wrong instruction": FROM + "X" * 32_000 + " x\n",
    "too many lines": FROM + "#\n" * 400_000,
    "too large": FROM + "# x\n" * N,
    "one comment": "#" + "x" * 65_000 + "\n" + FROM,
    "many comments": ("#" + "x" * 60_000 + "\n") * 15 + FROM,
    "many stages": "FROM a AS b\n" * 20_000,
    "a chain of stages": "".join(f"FROM s{number} AS s{number + 1}\n" for number in range(20_000)),
    "many arguments": "ARG " + "A=1 " * 8_000 + "\n" + "".join(f"ARG A{number}=1\n" for number in range(20_000)) + FROM,
    "values that double": "ARG A=xxxxxxxx\n" + "ARG A=$A$A\n" * 20_000 + "FROM $A\n",
    "variables that double": FROM + "ENV A=xxxxxxxx\n" + "ENV A=$A$A\n" * 20_000 + "USER $A\n",
    "long values": FROM + "ENV A=" + "x" * 8_000 + "\n" + "EXPOSE $A\n" * 20_000,
    "nested defaults": "FROM " + "${A:-" * 6_000 + "\n",
    "quotes": FROM + ("USER " + "''" * 8_000 + "\n") * 4,
    "ranges of ports": FROM + "EXPOSE 1-65535\n" * 20_000,
    "different ranges of ports": FROM + "".join(f"EXPOSE {number}-65535\n" for number in range(1, 20_000)),
    "spaces in a directive": "# escape=" + " " * 60_000 + "x\n" + FROM,
    "spaces before a directive": "#" + " " * 60_000 + "x\n" + FROM,
    "spaces": FROM + " " * 60_000 + "x\n",
    "not a Dockerfile": "\x01\xff" * 20_000,
    "NUL": FROM + "\0" * N,
    "half a surrogate pair": FROM + "USER \ud800\n",
    "bytes that HEALTHCHECK splits": FROM + "HEALTHCHECK \u5185\u00a0x y\n" * 2_000,
}


def seconds(text: str) -> float:
    """Read a text in every way."""
    began = time.thread_time()
    try:
        parsed = parse_dockerfile(text)
        for stage in parsed.stages[-1:]:
            configuration_of(parsed, stage).tcp_ports()
            parsed.source_stage("b")
        parsed.check()
    except StageFailure:
        pass
    return time.thread_time() - began


if __name__ == "__main__":
    took = {name: round(seconds(text), 3) for name, text in TEXTS.items()}
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    json.dump({"seconds": took, "megabytes": int(peak[1]) // 1024 if peak else 0}, sys.stdout)
