ARG PYTHON_IMAGE=python:3.11-slim

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
# Dependencies before the program: they change less often. Every archive is checked against its hash, and nothing is
# compiled: what has no wheel fails here.
COPY docker/build.lock docker/runtime.lock docker/
RUN python -m venv /build \
 && /build/bin/pip install --require-hashes --only-binary :all: -r docker/build.lock \
 && python -m venv --without-pip /opt/poller \
 && /build/bin/pip --python /opt/poller/bin/python install --require-hashes --only-binary :all: \
      -r docker/runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY mappings mappings
COPY poller poller
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /build/bin/pip --python /opt/poller/bin/python install --no-deps --no-index /wheels/*.whl

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="esm-poller" \
      org.opencontainers.image.description="AWS Lambda event source mappings as a program anyone can run" \
      org.opencontainers.image.licenses="Apache-2.0"
# Nothing is installed into a running container.
RUN rm -rf /usr/local/lib/python3*/site-packages/* /usr/local/lib/python3*/ensurepip /usr/local/bin/pip* \
 && mkdir -p /etc/poller \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/poller
COPY --from=build /opt/poller /opt/poller
ENV PATH=/opt/poller/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    POLLER_STATE=sqlite:////var/lib/poller/state.db
# A number, so that Kubernetes can tell that it is not root.
USER 10001:10001
# Handlers are imported from here, in an image that is made from this one and adds them.
WORKDIR /app
VOLUME ["/var/lib/poller"]
# 9464 health, metrics and status; 4577 the API. Both listen on loopback unless POLLER_OPS and POLLER_API say otherwise.
EXPOSE 9464 4577
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=6 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9464/livez', timeout=4)"]
ENTRYPOINT ["poller"]
CMD ["run", "/etc/poller"]
