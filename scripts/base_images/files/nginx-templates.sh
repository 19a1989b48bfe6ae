#!/bin/sh
# Write the configuration from templates, with the values of environment variables.
set -e
templates=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}
output=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
[ -d "$templates" ] || exit 0
if [ ! -w "$output" ]; then
    echo "$(basename "$0"): ERROR: $templates exists, but $output is not writable"
    exit 0
fi
# Only variables that exist: nginx has variables of the same form.
variables=$(env | sed -n "s/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p" | grep -E "${NGINX_ENVSUBST_FILTER:-.}" |
    sed 's/.*/${&}/' | tr '\n' ' ')
find "$templates" -follow -type f -name "*$suffix" | while read -r template; do
    name=${template#"$templates"/}
    target=$output/${name%"$suffix"}
    mkdir -p "$(dirname "$target")"
    envsubst "$variables" <"$template" >"$target"
done
