-- Limits of requests and events (`docs/http.md`, "Limits"), which hold for all processes together.
--
-- The three services with an API share them, so this file also has the rights of the others. A process of the release before
-- needs none of them.

-- One token bucket for each limit and account, token or credential. `available` may be negative: what was spent is known after
-- a request. UNLOGGED: it is empty after a crash, and a standby has none.
CREATE UNLOGGED TABLE credentials.limit_buckets (
    name       text PRIMARY KEY,
    available  double precision NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX limit_buckets_by_age ON credentials.limit_buckets (updated_at);

-- Record that `p_spent` was used (negative: returned), and grant up to `p_wanted` more. A bucket has at most `p_quota`, and is
-- filled with `p_quota` in `p_seconds`. `retry_after` is the time until at least one is available. A server that cannot write
-- grants everything.
CREATE FUNCTION credentials.take(p_name text, p_quota double precision, p_seconds double precision, p_spent double precision,
                          p_wanted double precision,
                          OUT granted double precision, OUT available double precision, OUT retry_after double precision)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bucket credentials.limit_buckets;
    moment timestamptz := clock_timestamp();
BEGIN
    granted := p_wanted; available := p_quota; retry_after := 0;
    IF current_setting('transaction_read_only')::boolean THEN
        RETURN;
    END IF;
    IF p_quota <= 0 OR p_seconds <= 0 OR p_wanted < 0 OR p_spent < -p_quota THEN
        RAISE EXCEPTION 'a limit has a quota and a time' USING ERRCODE = '22023';
    END IF;
    INSERT INTO credentials.limit_buckets AS b VALUES (p_name, p_quota, moment) ON CONFLICT (name) DO NOTHING;
    SELECT * INTO bucket FROM credentials.limit_buckets b WHERE b.name = p_name FOR UPDATE;
    available := least(p_quota, bucket.available
                     + p_quota * greatest(extract(epoch FROM moment - bucket.updated_at), 0) / p_seconds) - p_spent;
    available := greatest(least(available, p_quota), -p_quota);
    granted := greatest(least(p_wanted, floor(available)), 0);
    available := available - granted;
    IF granted < 1 THEN
        retry_after := greatest((1 - available) * p_seconds / p_quota, 0);
    END IF;
    UPDATE credentials.limit_buckets b SET available = take.available, updated_at = moment WHERE b.name = p_name;
    IF random() < 0.001 THEN  -- the quota of no limit takes longer than a day to fill
        DELETE FROM credentials.limit_buckets b WHERE b.name IN (
            SELECT o.name FROM credentials.limit_buckets o WHERE o.updated_at < moment - interval '2 days'
            ORDER BY o.updated_at LIMIT 10000 FOR UPDATE SKIP LOCKED);
    END IF;
END $$;

REVOKE ALL ON FUNCTION credentials.take FROM PUBLIC;
GRANT USAGE ON SCHEMA credentials TO regcred_verifier, regcred_query;
GRANT EXECUTE ON FUNCTION credentials.take TO regcred_credentials, regcred_verifier, regcred_query;

-- A query waits only for events of its own account.
GRANT SELECT (stream_id, account_id) ON es.streams TO regcred_query;
