#!/bin/sh
# Run a command of Deno, or else the program that is named.
set -e
case ${1-} in
-* | add | audit | bench | bundle | cache | check | clean | compile | completions | coverage | deploy | doc | eval | \
    fmt | help | info | init | install | jupyter | lint | lsp | outdated | publish | remove | repl | run | serve | \
    task | test | types | uninstall | update | upgrade)
    set -- deno "$@"
    ;;
esac
exec "$@"
