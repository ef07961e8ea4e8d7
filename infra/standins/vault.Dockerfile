# Stands in for hashicorp/vault:1.21.
ARG DEBIAN
FROM ${DEBIAN}
COPY vault /bin/vault
RUN chmod 0755 /bin/vault
ENTRYPOINT ["vault"]
