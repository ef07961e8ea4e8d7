# The images of regcred, one for each program: `docker build --build-arg IMAGE=verifier .`; `make images` builds all.
#
# An image contains the packages that pyproject.toml lists for it ([tool.regcred.images]), and the libraries of its
# dependency group in the versions of requirements/runtime.lock. It contains no tools for installing or compiling. It
# runs as user 10001 with a read-only root file system and needs no capability.
#
# Health checks start a Python process, which takes several seconds on a machine where many containers start at once.
# `docker compose up` fails when a dependency is unhealthy, so the limits are generous. The gateway has checks of its own.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG IMAGE=tools

FROM ${PYTHON_IMAGE} AS build
ARG IMAGE
WORKDIR /src
COPY infra/images infra/images
COPY requirements/runtime.lock requirements/
COPY pyproject.toml README.md LICENSE ./
RUN infra/images/install.sh dependencies ${IMAGE}
COPY libs libs
COPY services services
COPY tools tools
RUN infra/images/install.sh packages ${IMAGE}

FROM ${PYTHON_IMAGE} AS runtime
RUN for module in pip setuptools wheel pkg_resources; do \
        rm -rf "$(python3 -c 'import importlib.util as u, os, sys; s = u.find_spec(sys.argv[1]); print(os.path.dirname(s.origin) if s else "/nothing")' "$module")"; \
    done
ENV PYTHONPATH=/app PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONFAULTHANDLER=1 \
    REGCRED_HOME=/run/regcred REGCRED_LISTEN=0.0.0.0:8080 REGCRED_METRICS_LISTEN=0.0.0.0:9464 REGCRED_DRAIN_SECONDS=5
ARG IMAGE
ARG VERSION=unknown
ARG REVISION=unknown
ARG PYTHON_IMAGE
LABEL org.opencontainers.image.title="regcred-${IMAGE}" \
      org.opencontainers.image.vendor="regcred" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
COPY --from=build /app /app
WORKDIR /
USER 10001:10001
STOPSIGNAL SIGTERM

FROM runtime AS credentials
LABEL org.opencontainers.image.description="The command API: changes, resolutions and pull secrets"
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=15s --start-period=60s --retries=6 \
    CMD ["python3", "-m", "chassis.runtime.health", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["python3", "-m", "credentials"]
CMD ["api"]

FROM runtime AS relay
LABEL org.opencontainers.image.description="Assigns positions to events and publishes them"
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=15s --start-period=60s --retries=6 \
    CMD ["python3", "-m", "chassis.runtime.health", "http://127.0.0.1:9464/readyz"]
ENTRYPOINT ["python3", "-m", "credentials"]
CMD ["relay"]

FROM runtime AS verifier
LABEL org.opencontainers.image.description="Verifies credentials; with `api`, tests logins and reads registries over HTTP"
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=15s --start-period=60s --retries=6 \
    CMD ["python3", "-m", "chassis.runtime.health", "http://127.0.0.1:9464/readyz"]
ENTRYPOINT ["python3", "-m", "verifier"]

FROM runtime AS projector
LABEL org.opencontainers.image.description="Updates the read models"
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=15s --start-period=60s --retries=6 \
    CMD ["python3", "-m", "chassis.runtime.health", "http://127.0.0.1:9464/readyz"]
ENTRYPOINT ["python3", "-m", "projector"]

FROM runtime AS queries
LABEL org.opencontainers.image.description="The query API"
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=15s --start-period=60s --retries=6 \
    CMD ["python3", "-m", "chassis.runtime.health", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["python3", "-m", "projector"]
CMD ["api"]

FROM runtime AS console
LABEL org.opencontainers.image.description="The web console"
ENV REGCRED_CONSOLE_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=15s --start-period=60s --retries=6 \
    CMD ["python3", "-m", "chassis.runtime.health", "http://127.0.0.1:8080/healthz"]
ENTRYPOINT ["python3", "-m", "console"]

FROM runtime AS tools
LABEL org.opencontainers.image.description="The deploy step and the command line client"
ENTRYPOINT ["python3", "-m", "regcred"]
CMD ["--help"]

FROM ${IMAGE}
