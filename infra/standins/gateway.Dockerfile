# Stands in for haproxy:3.2, which the next release of Debian has.
ARG DEBIAN
FROM ${DEBIAN}
RUN sed 's/trixie/forky/' /etc/apt/sources.list >/etc/apt/sources.list.d/forky.list \
 && apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -t forky haproxy \
 && rm -rf /var/lib/apt/lists/* \
 && mkdir -p /usr/local/etc/haproxy
USER 99:99
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
STOPSIGNAL SIGUSR1
