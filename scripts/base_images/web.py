"""nginx and PHP from Debian, with the paths, users and entrypoints of the public images."""

from __future__ import annotations

from pathlib import Path

from base_images.entrypoints import write_entrypoint
from base_images.recipe import CLEAN, INSTALL, TRIXIE, Recipe

_NGINX_FILES = ("nginx-entrypoint.sh", "nginx-templates.sh", "nginx.conf", "nginx-default.conf")
_NGINX_VERSIONS = {"NGINX_VERSION": "nginx -v 2>&1 | sed 's,.*/\\([0-9.]*\\).*,\\1,'"}
_UNPRIVILEGED = """RUN sed -i 's/listen       80;/listen       8080;/' /etc/nginx/conf.d/default.conf \\
 && sed -i -e '/^user /d' -e 's,^pid .*,pid /tmp/nginx.pid;,' /etc/nginx/nginx.conf \\
 && for kind in proxy client_body fastcgi uwsgi scgi; do \\
      sed -i "/^http {/a \\\\    ${kind}_temp_path /tmp/${kind}_temp;" /etc/nginx/nginx.conf; done \\
 && chown -R 101:0 /var/cache/nginx /etc/nginx && chmod -R g+w /var/cache/nginx /etc/nginx
USER 101
"""


def _nginx(name: str, port: int, changes: str = "") -> Recipe:
    return Recipe(
        name,
        "the Debian trixie packages nginx, libnginx-mod-stream and libnginx-mod-mail",
        f"""FROM {TRIXIE}
RUN groupadd --system --gid 101 nginx \\
 && useradd --system --uid 101 --gid nginx --no-create-home --home-dir /nonexistent --shell /bin/false nginx \\
 && {INSTALL} curl gettext-base libnginx-mod-mail libnginx-mod-stream nginx && {CLEAN} \\
 && rm -rf /etc/nginx/sites-* /etc/nginx/snippets /var/www/html /var/lib/nginx /usr/share/nginx/html/* \\
 && mkdir -p /var/cache/nginx /docker-entrypoint.d /usr/share/nginx/html && chown nginx:nginx /var/cache/nginx \\
 && ln -s /var/cache/nginx /var/lib/nginx && ln -s /usr/lib/nginx/modules /etc/nginx/modules \\
 && echo '<!DOCTYPE html><title>Welcome to nginx!</title>Welcome to nginx!' >/usr/share/nginx/html/index.html \\
 && echo '<!DOCTYPE html><title>Error</title><h1>An error occurred.</h1>' >/usr/share/nginx/html/50x.html \\
 && ln -sf /dev/stdout /var/log/nginx/access.log && ln -sf /dev/stderr /var/log/nginx/error.log
COPY nginx.conf /etc/nginx/nginx.conf
COPY nginx-default.conf /etc/nginx/conf.d/default.conf
COPY nginx-entrypoint.sh /docker-entrypoint.sh
COPY nginx-templates.sh /docker-entrypoint.d/20-envsubst-on-templates.sh
ENTRYPOINT ["/docker-entrypoint.sh"]
EXPOSE {port}
STOPSIGNAL SIGQUIT
{changes}CMD ["nginx", "-g", "daemon off;"]
""",
        files=_NGINX_FILES,
        versions=_NGINX_VERSIONS,
    )


_PHP_EXTENSIONS = "php8.4-curl php8.4-mbstring php8.4-opcache php8.4-readline php8.4-sqlite3 php8.4-xml"
_APACHE = """ENV APACHE_CONFDIR=/etc/apache2 APACHE_ENVVARS=/etc/apache2/envvars
COPY apache-php.conf /etc/apache2/conf-available/docker-php.conf
COPY apache2-foreground /usr/local/bin/
RUN sed -ri 's/^export ([^=]+)=(.*)$/: ${\\1:=\\2}\\nexport \\1/' /etc/apache2/envvars && a2enconf -q docker-php \\
 && rm -f /var/www/html/index.html && ln -sf /dev/stderr /var/log/apache2/error.log \\
 && ln -sf /dev/stdout /var/log/apache2/access.log && ln -sf /dev/stdout /var/log/apache2/other_vhosts_access.log
STOPSIGNAL SIGWINCH
EXPOSE 80
"""
_FPM = """COPY php-fpm.conf /etc/php/8.4/fpm/pool.d/zz-docker.conf
RUN ln -s /usr/sbin/php-fpm8.4 /usr/local/sbin/php-fpm \\
 && ln -s /etc/php/8.4/fpm/pool.d /usr/local/etc/php-fpm.d && ln -s /etc/php/8.4/fpm/php-fpm.conf /usr/local/etc/
STOPSIGNAL SIGQUIT
EXPOSE 9000
"""


def _php(kind: str, packages: str, changes: str, command: str, files: tuple[str, ...] = ()) -> Recipe:
    return Recipe(
        f"php:8.4-{kind}",
        f"the Debian trixie packages {packages} {_PHP_EXTENSIONS}",
        f"""FROM {TRIXIE}
ENV PHP_INI_DIR=/usr/local/etc/php PHP_INI_SCAN_DIR=:/usr/local/etc/php/conf.d
RUN {INSTALL} ca-certificates curl xz-utils php8.4-cli {packages} {_PHP_EXTENSIONS} && {CLEAN} \\
 && mkdir -p /usr/local/etc/php/conf.d /var/www/html && ln -sf /usr/bin/php8.4 /usr/local/bin/php \\
 && cp /usr/lib/php/8.4/php.ini-production /usr/lib/php/8.4/php.ini-development /usr/local/etc/php/ \\
 && for folder in /etc/php/8.4/*/; do \\
      [ ! -f "$folder/php.ini" ] || ln -sf /usr/local/etc/php/php.ini "$folder/php.ini"; done \\
 && chown www-data:www-data /var/www/html && chmod 1777 /var/www/html
COPY docker-php-ext docker-php-entrypoint /usr/local/bin/
RUN for verb in configure enable install; do ln -s docker-php-ext /usr/local/bin/docker-php-ext-$verb; done
ENTRYPOINT ["docker-php-entrypoint"]
{changes}WORKDIR /var/www/html
CMD {command}
""",
        files=("docker-php-ext", *files),
        prepare=_write_php_entrypoint,
        versions={"PHP_VERSION": "php -r 'echo PHP_VERSION;'"},
    )


def _write_php_entrypoint(context: Path) -> None:
    write_entrypoint(context, "php", "docker-php-entrypoint")


RECIPES = (
    _nginx("nginx:stable", 80),
    _nginx("nginxinc/nginx-unprivileged:stable", 8080, _UNPRIVILEGED),
    _php("cli", "php8.4-cli", "", '["php", "-a"]'),
    _php(
        "apache",
        "libapache2-mod-php8.4 apache2",
        _APACHE,
        '["apache2-foreground"]',
        ("apache-php.conf", "apache2-foreground"),
    ),
    _php("fpm", "php8.4-fpm", _FPM, '["php-fpm"]', ("php-fpm.conf",)),
)
