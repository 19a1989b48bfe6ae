#!/bin/sh
# link-python-3.11.sh FOLDER: link Python 3.11 again from Debian's libraries, with the unchanged module `site`.
#
# Python carries `site` inside the program. Since 3.13 it is data that can be replaced (relocate_python.py); in 3.11 it
# is compiled, so the table of frozen modules is compiled again, to hold the unchanged module as data.
set -eu
work=$1
installed() { dpkg-query -W -f '${Package}\n' | sort; }
installed >"$work/before"
apt-get install -qy --no-install-recommends gcc libc6-dev libexpat1-dev zlib1g-dev
cd "$work"
tar -xf python3.11_*.orig.tar.gz
source=$(echo Python-3.11.*)
objects=$(echo tree/usr/lib/python3.11/config-3.11-*)
includes="-I/usr/local/include/python3.11 -I/usr/local/include/python3.11/internal -I."
python3 -S "$source/Programs/_freeze_module.py" site "$source/Lib/site.py" site_module.h
sed -e 's/{"site", NULL, 0, false, GET_CODE(site)}/{"site", _Py_M__site, (int)sizeof(_Py_M__site), false, NULL}/' \
    -e 's/^.* End includes .*$/#include "site_module.h"/' "$source/Python/frozen.c" >frozen.c
grep -q 'sizeof(_Py_M__site)' frozen.c

# shellcheck disable=SC2086 # several options
gcc -O2 -DPy_BUILD_CORE $includes -c frozen.c
cp "$objects/libpython3.11.a" program.a
ar r program.a frozen.o
# shellcheck disable=SC2046 # several options
gcc -s -no-pie -Wl,-z,relro -Xlinker -export-dynamic -o /usr/local/bin/python3.11 "$objects/python.o" \
    -Wl,--whole-archive program.a -Wl,--no-whole-archive -lexpat -lz -ldl -lm

# shellcheck disable=SC2086 # as above
gcc -O2 -fPIC -DPy_BUILD_CORE $includes -c frozen.c
cp "$objects/libpython3.11-pic.a" library.a
ar r library.a frozen.o
gcc -s -shared -Wl,-z,relro -Wl,-Bsymbolic-functions -Wl,-soname,libpython3.11.so.1.0 \
    -o /usr/local/lib/libpython3.11.so.1.0 \
    -Wl,--whole-archive library.a -Wl,--no-whole-archive -lexpat -lz -ldl -lm

installed >after
comm -13 before after | xargs apt-get purge -qy
