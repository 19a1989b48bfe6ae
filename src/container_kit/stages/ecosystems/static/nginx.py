"""nginx's configuration for a static site: everything that it writes is below /tmp."""

from __future__ import annotations

ROOT = "/srv/www"
_ASSETS = (
    "js|mjs|css|map|json|png|jpe?g|gif|svg|webp|avif|ico|woff2?|ttf|otf|eot|wasm|mp[34]|webm|pdf|txt|xml|webmanifest"
)


def configuration(port: int, *, one_page: bool, base: str = "") -> str:
    """Return the instruction that writes the configuration.

    A missing page of an application of one page is that page, because its script knows the address. A missing asset and
    an unknown path below `/api/` are 404, as everywhere else: a script that gets a page instead fails without a reason.

    Args:
        port: The TCP port.
        one_page: Whether the script of one page serves all addresses.
        base: The path at which the site was built to be served, without a final slash; empty for the root.
    """
    lines = (
        "daemon off;",
        "worker_processes auto;",
        "pid /tmp/nginx.pid;",
        "error_log /dev/stderr warn;",
        "events { worker_connections 1024; }",
        "http {",
        "  include /etc/nginx/mime.types;",
        "  types { text/javascript mjs; application/manifest+json webmanifest; }",
        "  default_type application/octet-stream;",
        "  charset utf-8;",
        "  access_log /dev/stdout;",
        "  client_body_temp_path /tmp/client_body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;",
        "  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;",
        "  sendfile on; server_tokens off; absolute_redirect off;",
        "  gzip on; gzip_types text/css text/javascript application/javascript application/json image/svg+xml;",
        "  server {",
        f"    listen {port};",
        f"    root {ROOT}; index index.html index.htm;",
        f"    error_page 404 {base}/404.html;",
        *((f"    location = / {{ return 302 {base}/; }}",) if base else ()),
        *(_locations(base) if one_page else ("    location / { try_files $uri $uri.html $uri/ =404; }",)),
        "  }",
        "}",
    )
    written = " \\\n    ".join(f"'{line}'" for line in lines)
    why = "# The variables are nginx's own.\n# hadolint ignore=SC2016\n"
    return f"{why}RUN printf '%s\\n' \\\n    {written} \\\n    > /tmp/site.conf"


def _locations(base: str) -> tuple[str, ...]:
    return (
        f"    location / {{ try_files $uri $uri.html $uri/ {base}/index.html; }}",
        "    location /api/ { try_files $uri =404; }",
        f"    location ~* \\.(?:{_ASSETS})$ {{ try_files $uri =404; }}",
    )
