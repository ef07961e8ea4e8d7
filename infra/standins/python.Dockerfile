# Stands in for python:3.11-slim-bookworm.
ARG DEBIAN
FROM ${DEBIAN}
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-pip \
 && rm -rf /var/lib/apt/lists/* /usr/lib/python3.11/EXTERNALLY-MANAGED
COPY pip/ /opt/pip/
RUN [ ! -e /opt/pip/pip.conf ] || cp /opt/pip/pip.conf /etc/pip.conf; \
    [ ! -e /opt/pip/ca.crt ] || cp /opt/pip/ca.crt /etc/ssl/certs/ca-certificates.crt
