#!/bin/sh
# debian-python.sh VERSION [without-source]: install Debian's CPython in /usr/local, as the public image has it.
#
# The packages are unpacked, not installed: dpkg keeps no Python, and `apt-get install python3` works as in the public
# image. Debian changes the layout of Python (dist-packages, no pip outside virtual environments), so the modules that
# decide the layout come from the unchanged source. Some mirrors of testing do not have the source; then Debian's changes
# to these modules are taken back.
set -eu
version=$1
without_source=${2-}
files=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
sources=/etc/apt/sources.list.d/python-source.list
[ -n "$without_source" ] || sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$sources"
apt-get update -q
packages="python$version python$version-minimal libpython$version libpython$version-minimal
    libpython$version-stdlib libpython$version-dev"
for module in gdbm tk; do # before trixie their packages had no version in the name
    name=$(apt-cache pkgnames "python$version-$module" | grep -x "python$version-$module" || echo "python3-$module")
    packages="$packages $name"
done
if [ -n "$without_source" ]; then
    packages="$packages idle-python$version python$version-venv python3-pip-whl"
fi

# The libraries that Debian's Python links to, as the public image has them. It has no Tk, and no table of media types.
# shellcheck disable=SC2086 # several packages
libraries=$(apt-cache depends --no-recommends --no-suggests $packages |
    sed -n 's/^[ |]*Depends: \([a-z0-9.+-]*\)$/\1/p' |
    grep -Ev 'python|-dev$|^(media-types|mime-support|mailcap|blt|tk|tcl)|^lib(tk|tcl)' | sort -u)
# shellcheck disable=SC2086 # as above
apt-get install -qy --no-install-recommends $libraries

cd "$work"
# shellcheck disable=SC2086 # as above
apt-get download -q $packages
[ -n "$without_source" ] || apt-get source -q --download-only --tar-only "python$version"
mkdir tree
for package in *.deb; do
    dpkg-deb --extract "$package" tree
done

library=/usr/local/lib/python$version
machine=$(dpkg --print-architecture | sed 's/amd64/x86_64/; s/arm64/aarch64/')-linux-gnu
mkdir -p /usr/local/bin /usr/local/include /usr/local/lib/pkgconfig
cp -a "tree/usr/lib/python$version" "$library"
cp -a "tree/usr/include/python$version" /usr/local/include/
cp "tree/usr/include/$machine/python$version/pyconfig.h" "/usr/local/include/python$version/pyconfig.h"
cp -a "tree/usr/lib/$machine/libpython$version".so* /usr/local/lib/
cp "tree/usr/lib/$machine/pkgconfig/python-$version"*.pc /usr/local/lib/pkgconfig/
cp "tree/usr/bin/python$version" /usr/local/bin/
cp "tree/usr/bin/$machine-python$version-config" "/usr/local/bin/python$version-config"
find tree/usr/lib/python3* -name '*.so' -exec cp '{}' "$library/lib-dynload/" ';'
(
    cd "$library"
    rm -f EXTERNALLY-MANAGED _distutils_system_mod.py sitecustomize.py config-*/*.a config-*/*.so
)
ln -sf "python$version" /usr/local/bin/python3
ln -sf "python$version-config" /usr/local/bin/python3-config

set_pip_version() { sed -i "s/^_PIP_VERSION = .*/_PIP_VERSION = \"$1\"/" "$library/ensurepip/__init__.py"; }

# bundle_pip VERSION: have `ensurepip`, and so new virtual environments, install this pip.
bundle_pip() {
    rm "$library"/ensurepip/_bundled/pip-*.whl
    python3 -m pip download --quiet --no-deps --dest "$library/ensurepip/_bundled" "pip==$1"
    set_pip_version "$1"
    python3 -m pip install --quiet --force-reinstall --no-index --find-links "$library/ensurepip/_bundled" pip
}

export PYTHONDONTWRITEBYTECODE=1
if [ -x "$files/link-python-$version.sh" ]; then
    "$files/link-python-$version.sh" "$work"
fi
python3 -S "$files/relocate_python.py" "$work"
ldconfig
if [ -n "$without_source" ]; then
    mkdir -p "$library/ensurepip/_bundled"
    cp tree/usr/share/python-wheels/pip-*.whl "$library/ensurepip/_bundled/"
    pip_version=$(basename tree/usr/share/python-wheels/pip-*.whl | cut -d - -f 2)
    set_pip_version "${pip_version%+*}"
fi

python3 -m ensurepip --upgrade
if [ "$version" = 3.11 ]; then # pip as in the last releases of 3.11, and what the public images add before 3.12
    bundle_pip 24.0
    pip3 install --quiet --no-cache-dir --root-user-action ignore setuptools==65.5.1 'wheel<0.46'
fi
for program in idle3 pip3 pydoc3 python3 python3-config; do
    ln -sf "$program" "/usr/local/bin/$(echo $program | tr -d 3)"
done

find /usr/local -depth -type d '(' -name test -o -name tests -o -name idle_test -o -name __pycache__ ')' \
    -exec rm -rf '{}' +
rm -rf "$work" "$sources" /var/lib/apt/lists/* /root/.cache
