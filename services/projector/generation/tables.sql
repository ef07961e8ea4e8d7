-- The tables of one generation. The owner of the database creates them in the schema of the generation
-- (`projector/write/generations.py`). This is not a migration: a change takes effect with the next rebuild, and an older
-- generation continues without a new column. Add new columns at the end of a table, because a view (`rm.*`) can only be
-- extended there.

CREATE TABLE credentials (
    credential_id           uuid PRIMARY KEY,
    account_id              text NOT NULL,
    name                    text NOT NULL,
    provider                text NOT NULL,
    registry_host           text NOT NULL,
    location                text,
    username                text NOT NULL,
    repository_prefixes     text[] NOT NULL,
    description             text NOT NULL,
    pull                    boolean NOT NULL,
    push                    boolean NOT NULL,
    restricted              boolean NOT NULL,
    projects                text[] NOT NULL,
    secret_version          integer NOT NULL,
    expires_at              timestamptz,
    verification_status     text NOT NULL,
    verification_code       text,
    verification_detail     text,
    verification_checked_at timestamptz,
    version                 bigint NOT NULL,
    created_at              timestamptz NOT NULL,
    updated_at              timestamptz NOT NULL,
    frozen                  boolean,
    additional_hosts        text[],
    mirror_of               text[],
    rotation                jsonb  -- the one that waits for a login, or was discarded (`contracts.credential`)
);

CREATE TABLE usages (
    usage_id       uuid PRIMARY KEY,  -- derived from credential, project and workload
    account_id     text NOT NULL,
    credential_id  uuid NOT NULL,
    project_id     text NOT NULL,
    workload_kind  text NOT NULL,
    workload_name  text NOT NULL,
    images         text[] NOT NULL,   -- the latest first, 50 at most
    secret_version integer NOT NULL,
    first_used_at  timestamptz NOT NULL,
    last_used_at   timestamptz NOT NULL,
    released_at    timestamptz  -- the workload is gone since then
);

CREATE TABLE verifications (
    verification_id uuid PRIMARY KEY,
    position        bigint NOT NULL,
    credential_id   uuid NOT NULL,
    account_id      text NOT NULL,
    provider        text NOT NULL,
    status          text NOT NULL,
    code            text,
    detail          text NOT NULL,
    trigger         text NOT NULL,
    secret_version  integer NOT NULL,
    checked_at      timestamptz NOT NULL,
    duration_ms     integer NOT NULL,
    probe           jsonb  -- result of the probe of an image: {"image", "code", "detail"}
);

CREATE TABLE audit_events (
    position        bigint PRIMARY KEY,
    event_id        uuid NOT NULL,  -- unique in the log
    account_id      text NOT NULL,
    time            timestamptz NOT NULL,
    action          text NOT NULL,
    outcome         text NOT NULL,
    reason          text,
    actor_type      text NOT NULL,
    actor_id        text NOT NULL,
    actor_name      text NOT NULL,
    on_behalf_of    text,
    source_ip       text,
    credential_id   uuid,
    credential_name text,
    project_id      text,
    registry_host   text,
    image           text,
    secret_version  integer,
    before          jsonb,
    after           jsonb,
    request_id      text NOT NULL,
    correlation_id  text NOT NULL,
    causation_id    text
);

CREATE TABLE audit_images (  -- the images of each row of the audit trail
    account_id text NOT NULL,
    image      text NOT NULL,
    position   bigint NOT NULL,
    PRIMARY KEY (account_id, image, position)
);

CREATE TABLE audit_spans (  -- the range of times of each 1024 positions
    span     bigint PRIMARY KEY,
    earliest timestamptz NOT NULL,
    latest   timestamptz NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON credentials, usages, audit_spans TO regcred_projector;
GRANT SELECT, INSERT ON verifications, audit_events, audit_images TO regcred_projector;
