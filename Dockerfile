# The server image. Build it with BuildKit from the root of the repository:
#   DOCKER_BUILDKIT=1 docker build -t container-kit .
# examples/compose/README.md shows how to start it.
FROM python:3.13-slim AS build
WORKDIR /build
ENV UV_PROJECT_ENVIRONMENT=/opt/container-kit \
    UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /opt/uv && /opt/uv/bin/pip install --disable-pip-version-check 'uv>=0.8,<1'
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN --mount=type=cache,target=/root/.cache/uv \
    /opt/uv/bin/uv sync --locked --no-dev --extra kubernetes --extra otlp --no-install-project
COPY src src
RUN --mount=type=cache,target=/root/.cache/uv \
    /opt/uv/bin/uv sync --locked --no-dev --extra kubernetes --extra otlp --no-editable

FROM python:3.13-slim
LABEL org.opencontainers.image.title="Container Kit" \
      org.opencontainers.image.description="An MCP server that exposes container pipelines as AI tools" \
      org.opencontainers.image.source="https://github.com/container-kit/container-kit" \
      org.opencontainers.image.licenses="MIT"
RUN useradd --uid 10001 --create-home --home-dir /var/lib/container-kit --shell /usr/sbin/nologin container-kit \
 && install --directory --owner container-kit /workspace
COPY --from=build /opt/container-kit /opt/container-kit
COPY scripts/image_healthcheck.py /opt/container-kit/bin/image-healthcheck
ENV PATH=/opt/container-kit/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    CONTAINER_KIT_HOME=/var/lib/container-kit/state \
    CONTAINER_KIT_WORKSPACE=/workspace
USER 10001
WORKDIR /workspace
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["python", "/opt/container-kit/bin/image-healthcheck"]
ENTRYPOINT ["container-kit"]
CMD ["serve"]
