# Stands in for prom/prometheus.
ARG DEBIAN
FROM ${DEBIAN}
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus \
 && rm -rf /var/lib/apt/lists/*
USER 65534:65534
ENTRYPOINT ["prometheus"]
