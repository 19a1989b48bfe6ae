#!/bin/sh
# Run the scripts in /docker-entrypoint.d before nginx.
set -e
log() { [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "$0: $*"; }
if [ "$1" = nginx ] || [ "$1" = nginx-debug ]; then
    for script in /docker-entrypoint.d/*; do
        if [ ! -x "$script" ]; then
            log "Ignoring $script, not executable"
            continue
        fi
        case $script in
        *.envsh)
            log "Sourcing $script"
            # shellcheck disable=SC1090 # the user's file
            . "$script"
            ;;
        *.sh)
            log "Launching $script"
            "$script"
            ;;
        *) log "Ignoring $script" ;;
        esac
    done
fi
exec "$@"
