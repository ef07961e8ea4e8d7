# Stands in for rabbitmq:4-management.
ARG DEBIAN
FROM ${DEBIAN}
RUN groupadd -g 999 rabbitmq && useradd -u 999 -g 999 -d /var/lib/rabbitmq -s /bin/sh rabbitmq \
 && apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends rabbitmq-server \
 && rm -rf /var/lib/apt/lists/* /var/lib/rabbitmq/* \
 && mkdir -p /var/lib/rabbitmq /etc/rabbitmq \
 && echo '[rabbitmq_management,rabbitmq_prometheus].' >/etc/rabbitmq/enabled_plugins \
 && chown -R 999:999 /var/lib/rabbitmq /etc/rabbitmq /var/log/rabbitmq
ENV PATH=/usr/lib/rabbitmq/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/var/lib/rabbitmq LANG=C.UTF-8 \
    RABBITMQ_LOGS=-
USER 999:999
CMD ["rabbitmq-server"]
