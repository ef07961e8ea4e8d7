-- A generation that several processes build at once: each applies the events of its own accounts up to `until`, and has its
-- checkpoint here (ADR 16). The rows go in the transaction that moves the generation's own checkpoint to `until`; while there
-- are any, nobody may apply events to the generation by that.
--
-- `position` moves in the transaction that changes the generation's tables, whoever does that locks the row first; `applied`
-- counts the shard's events.
CREATE TABLE rm.rebuild_shards (
    generation integer NOT NULL REFERENCES rm.generations ON DELETE CASCADE,
    shard      integer NOT NULL CHECK (shard > 0),
    until      bigint NOT NULL,
    position   bigint NOT NULL DEFAULT 0 CHECK (position BETWEEN 0 AND until),
    applied    bigint NOT NULL DEFAULT 0 CHECK (applied BETWEEN 0 AND until),
    accounts   text[] NOT NULL,
    PRIMARY KEY (generation, shard)
);
GRANT SELECT, INSERT, UPDATE (position, applied), DELETE ON rm.rebuild_shards TO regcred_projector;
