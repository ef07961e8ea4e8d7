# Stands in for registry:2.
ARG DEBIAN
FROM ${DEBIAN}
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker-registry \
 && rm -rf /var/lib/apt/lists/*
CMD ["docker-registry", "serve", "/etc/docker/registry/config.yml"]
