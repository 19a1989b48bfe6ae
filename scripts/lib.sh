# shellcheck shell=bash
# Gets a bare machine to work. Sourced by scripts/demo and scripts/test, from the root of the checkout.

logs=.setup # what the steps printed, and the lock
mkdir -p "$logs"

say() { echo "==> $*"; }
complain() { echo "!!  $*" >&2; }

# quietly LOG COMMAND…: keep the output in a file; show its end when the command fails.
quietly() {
    local log=$logs/$1
    shift
    "$@" >"$log" 2>&1 && return
    complain "failed: $* (all of it in $log)"
    tail -n 15 "$log" >&2
    return 1
}

# Why nothing can be installed here; nothing where it can.
why_no_install() {
    [ "$(id -u)" = 0 ] || { echo "installing it needs root"; return; }
    command -v apt-get >/dev/null || echo "it can be installed only on Debian (no apt-get here)"
}

# install WHAT PACKAGE…: Debian packages, for the named purpose.
install() {
    local what=$1 reason
    shift
    reason=$(why_no_install)
    if [ -n "$reason" ]; then
        complain "$what is missing, and $reason. The Debian packages: $*"
        return 1
    fi
    say "Installing $what ($*)"
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-update.log apt-get update -q || complain "going on with the package lists that are here"
    quietly apt-install.log apt-get install -qy --no-install-recommends "$@"
}

# A Python that is new enough and can make virtual environments.
find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        echo "$name"
        return
    done
    return 1
}

# What .venv must have been set up for.
wanted_state() { echo "$PWD $(sha256sum pyproject.toml)"; }

is_set_up() { [ "$(cat .venv/set-up-for 2>/dev/null)" = "$(wanted_state)" ] && .venv/bin/python -c '' 2>/dev/null; }

# Whether .venv was set up in another folder; its programs name the interpreter there.
moved() { [ -f .venv/set-up-for ] && ! grep -qF "$PWD " .venv/set-up-for; }

# The package, editable, with what its development needs, in .venv; nothing is done when it is up to date.
set_up_python() {
    local python
    is_set_up && return
    python=$(find_python) || { install "Python 3.11 with venv" python3 python3-venv && python=$(find_python); } ||
        return 1
    say "Setting up Python packages in .venv"
    if ! .venv/bin/python -c '' 2>/dev/null || moved; then
        quietly venv.log "$python" -m venv --clear .venv || return 1
    fi
    quietly pip.log .venv/bin/python -m pip install --upgrade "pip>=25.1" || return 1 # --group came with 25.1
    quietly pip.log .venv/bin/python -m pip install --editable . --group dev || return 1
    wanted_state >.venv/set-up-for
}

# Prints why no engine answers, and fails: with 2 where one is there that this user may not use.
ask_engine() {
    .venv/bin/python - <<'EOF'
import sys, anyio
from container_kit.stages.docker.engine import ENGINE_PERMISSION_DENIED, DockerEngine
from container_kit.stages.contract.fault import StageFailure
try:
    anyio.run(DockerEngine().ping)
except StageFailure as failure:
    denied = failure.fault.code == ENGINE_PERMISSION_DENIED.code
    print(f"{failure.fault.message}. {failure.fault.hint}" if denied else f"{failure.fault.message}.")
    sys.exit(2 if denied else 1)
EOF
}

# Docker Engine: the one that is there, else Debian's.
set_up_engine() {
    local reason
    reason=$(ask_engine) && return
    if [ $? = 2 ] || [ -n "${DOCKER_HOST:-}" ]; then
        complain "$reason${DOCKER_HOST:+ DOCKER_HOST is set, so no other engine is started here.}"
        return 1
    fi
    command -v dockerd >/dev/null || install "Docker Engine" docker.io iptables mount busybox-static || return 1
    ask_engine >/dev/null && return # installing it may have started it
    reason=$(why_no_install)
    if [ -n "$reason" ]; then
        complain "$(ask_engine) Starting one needs root."
        return 1
    fi
    start_engine
}

start_engine() {
    local log=/var/log/dockerd.log daemon
    say "Starting Docker Engine"
    if [ -d /run/systemd/system ]; then
        quietly engine.log systemctl start docker
    else
        mount_cgroups
        drop_stale_pid_file /var/run/docker.pid dockerd
        drop_stale_pid_file /var/run/docker/containerd/containerd.pid containerd
        setsid dockerd >>"$log" 2>&1 </dev/null 9>&- &
        daemon=$!
    fi
    for _ in $(seq 60); do
        ask_engine >/dev/null && return
        [ -z "${daemon:-}" ] || kill -0 "$daemon" 2>/dev/null || break
        sleep 0.5
    done
    complain "Docker Engine does not start: $(ask_engine)"
    [ -z "${daemon:-}" ] || tail -n 5 "$log" >&2
    return 1
}

# Without systemd nobody has mounted the control groups; a container needs them.
mount_cgroups() {
    local name
    mountpoint -q /sys/fs/cgroup && return
    mount -t tmpfs -o mode=755 cgroups /sys/fs/cgroup
    awk '!/^#/ && $4 == 1 { print $1 }' /proc/cgroups | while read -r name; do
        mkdir -p "/sys/fs/cgroup/$name"
        mount -t cgroup -o "$name" cgroup "/sys/fs/cgroup/$name" 2>/dev/null || rmdir "/sys/fs/cgroup/$name"
    done
    [ -d /sys/fs/cgroup/memory ] && return
    umount /sys/fs/cgroup # a kernel with version 2 only
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
}

# drop_stale_pid_file FILE PROGRAM: after a `kill -9` it names a process that is gone or, worse, another one; then
# dockerd would not start.
drop_stale_pid_file() {
    [ -f "$1" ] || return 0
    [ "$(cat "/proc/$(cat "$1")/comm" 2>/dev/null)" = "$2" ] || rm -f "$1"
}

# set_up_base_images [NAME…]: those that neither the engine nor a registry has.
set_up_base_images() {
    .venv/bin/python scripts/base_images.py --missing "$@" >"$logs/base-images.missing" || return 1
    [ -s "$logs/base-images.missing" ] || return 0
    command -v mmdebstrap >/dev/null || install "what makes base images" mmdebstrap || return 1
    say "No registry answers: making base images from Debian packages"
    .venv/bin/python scripts/base_images.py "$@"
}

# Other real programs that tests run; a test whose program is missing is skipped and says so.
set_up_test_programs() {
    local entry packages=()
    for entry in chromium docker-registry slirp4netns shellcheck mmdebstrap ip:iproute2 \
        ssh:openssh-client sshd:openssh-server podman catatonit newuidmap:uidmap rootlesskit; do
        command -v "${entry%:*}" >/dev/null || packages+=("${entry#*:}")
    done
    [ -x /usr/lib/podman/aardvark-dns ] || packages+=(netavark aardvark-dns)
    if [ ! -d /usr/lib/postgresql ]; then
        packages+=(postgresql)
        [ "$(id -u)" != 0 ] || no_database_server
    fi
    [ ${#packages[@]} = 0 ] || install "the programs that tests use" "${packages[@]}"
}

# Node.js and npm packages that tests run, so that no test spends its time with installing them.
set_up_node_packages() {
    quietly node.log env PYTHONPATH=tests .venv/bin/python -m support.node ||
        complain "tests that need Node.js will be skipped"
}

# Tests start their servers; Debian's package would make and start one for all.
no_database_server() {
    mkdir -p /etc/postgresql-common/createcluster.d
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/container-kit.conf
}

# set_up [BASE IMAGE…]: all of the above, one process at a time.
set_up() {
    exec 9>"$logs/lock"
    flock 9
    set_up_python || { complain "Container Kit cannot be set up without its Python packages."; exit 1; }
    set_up_engine && set_up_base_images "$@"
    local outcome=$?
    exec 9>&-
    return $outcome
}
