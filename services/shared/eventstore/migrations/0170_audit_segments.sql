-- How much of the audit trail has left the read models for sealed segments, and which (ADR 15). Everything up to the
-- highest `last_position` has: that is the horizon. The read models forget, the log does not.
--
-- One row per segment, written by `regcred audit seal` as the owner of the database once its files are proved; no
-- service's role may write here, nor delete from the trail.
CREATE TABLE rm.audit_segments (
    last_position  bigint PRIMARY KEY,
    first_position bigint NOT NULL UNIQUE CHECK (first_position > 0),
    row_count      bigint NOT NULL CHECK (row_count >= 0),
    earliest       timestamptz,             -- of the rows' times; NULL where there are no rows
    latest         timestamptz,
    manifest       bytea NOT NULL CHECK (octet_length(manifest) = 32),  -- SHA-256 of `manifest.json`
    sealed_at      timestamptz NOT NULL,
    finished       boolean NOT NULL DEFAULT false,  -- its events are told, its rows are gone
    CHECK (first_position <= last_position)
);
GRANT SELECT ON rm.audit_segments TO regcred_projector, regcred_query;
