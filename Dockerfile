# One target per service: `docker build --target verifier .`; docker-compose.yml names them all.
#
# Each has its own program, the dependencies that requirements/<image>.lock pins for it, and nothing to install or
# compile more with. It runs as user 10001 with a read-only root file system, and needs no capability.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
COPY infra/images/install.sh requirements/build.lock ./

FROM ${PYTHON_IMAGE} AS runtime
RUN for module in pip setuptools wheel pkg_resources; do \
        rm -rf "$(python3 -c 'import importlib.util as u, os, sys; s = u.find_spec(sys.argv[1]); print(os.path.dirname(s.origin) if s else "/nothing")' "$module")"; \
    done
ENV PYTHONPATH=/app PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONFAULTHANDLER=1 \
    REGCRED_HOME=/run/regcred REGCRED_LISTEN=0.0.0.0:8080 REGCRED_METRICS_LISTEN=0.0.0.0:9464
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.vendor="regcred" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
WORKDIR /
USER 10001:10001
STOPSIGNAL SIGTERM

FROM build AS credentials-files
COPY requirements/credentials.lock .
RUN ./install.sh dependencies credentials.lock
COPY pyproject.toml README.md ./
COPY services/shared services/shared
COPY services/credentials services/credentials
RUN ./install.sh packages shared credentials

FROM runtime AS credentials
LABEL org.opencontainers.image.title="regcred-credentials" \
      org.opencontainers.image.description="The command API: changes, resolutions and pull secrets"
COPY --from=credentials-files /app /app
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python3", "-m", "shared.runtime.health", "http://127.0.0.1:8080/healthz"]
ENTRYPOINT ["python3", "-m", "credentials"]
CMD ["api"]

FROM build AS relay-files
COPY requirements/relay.lock .
RUN ./install.sh dependencies relay.lock
COPY pyproject.toml README.md ./
COPY services/shared services/shared
COPY services/credentials services/credentials
RUN ./install.sh packages shared credentials

FROM runtime AS relay
LABEL org.opencontainers.image.title="regcred-relay" \
      org.opencontainers.image.description="Gives events their positions and publishes them"
COPY --from=relay-files /app /app
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python3", "-m", "shared.runtime.health", "tcp://127.0.0.1:9464"]
ENTRYPOINT ["python3", "-m", "credentials"]
CMD ["relay"]

FROM build AS verifier-files
COPY requirements/verifier.lock .
RUN ./install.sh dependencies verifier.lock
COPY pyproject.toml README.md ./
COPY services/shared services/shared
COPY services/verifier services/verifier
RUN ./install.sh packages shared verifier

FROM runtime AS verifier
LABEL org.opencontainers.image.title="regcred-verifier" \
      org.opencontainers.image.description="Tries the logins; with `api`, trials and browsing over HTTP"
COPY --from=verifier-files /app /app
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python3", "-m", "shared.runtime.health", "tcp://127.0.0.1:9464"]
ENTRYPOINT ["python3", "-m", "verifier"]

FROM build AS projector-files
COPY requirements/projector.lock .
RUN ./install.sh dependencies projector.lock
COPY pyproject.toml README.md ./
COPY services/shared services/shared
COPY services/projector services/projector
RUN ./install.sh packages shared projector

FROM runtime AS projector
LABEL org.opencontainers.image.title="regcred-projector" \
      org.opencontainers.image.description="Keeps the read models"
COPY --from=projector-files /app /app
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python3", "-m", "shared.runtime.health", "tcp://127.0.0.1:9464"]
ENTRYPOINT ["python3", "-m", "projector"]

FROM build AS queries-files
COPY requirements/queries.lock .
RUN ./install.sh dependencies queries.lock
COPY pyproject.toml README.md ./
COPY services/shared services/shared
COPY services/projector services/projector
RUN ./install.sh packages shared projector

FROM runtime AS queries
LABEL org.opencontainers.image.title="regcred-queries" \
      org.opencontainers.image.description="The query API"
COPY --from=queries-files /app /app
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python3", "-m", "shared.runtime.health", "http://127.0.0.1:8080/healthz"]
ENTRYPOINT ["python3", "-m", "projector"]
CMD ["api"]

FROM build AS console-files
COPY requirements/console.lock .
RUN ./install.sh dependencies console.lock
COPY pyproject.toml README.md ./
COPY services/shared services/shared
COPY services/console services/console
RUN ./install.sh packages shared console

FROM runtime AS console
LABEL org.opencontainers.image.title="regcred-console" \
      org.opencontainers.image.description="The web console"
COPY --from=console-files /app /app
ENV REGCRED_CONSOLE_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python3", "-m", "shared.runtime.health", "http://127.0.0.1:8080/sign-in"]
ENTRYPOINT ["python3", "-m", "console"]

FROM build AS tools-files
COPY requirements/tools.lock .
RUN ./install.sh dependencies tools.lock
COPY pyproject.toml README.md ./
COPY services/shared services/shared
COPY services/projector services/projector
COPY services/regcred services/regcred
# Of the other services only the SQL: `regcred migrate` prepares the whole database.
COPY services/credentials/schema services/credentials/schema
COPY services/verifier/schema services/verifier/schema
RUN ./install.sh packages shared projector regcred credentials verifier

FROM runtime AS tools
LABEL org.opencontainers.image.title="regcred-tools" \
      org.opencontainers.image.description="The deploy step and the command line client"
COPY --from=tools-files /app /app
ENTRYPOINT ["python3", "-m", "regcred"]
CMD ["--help"]
