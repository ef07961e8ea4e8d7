-- As before, except that the log decides whether the account has credentials: a row of credentials.current could have been
-- changed or moved by hand.
CREATE OR REPLACE FUNCTION credentials.erase_account(p_request es.append_request) RETURNS es.appended
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    has  bigint;
    done es.appended;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('account:' || p_request.account_id, 0));  -- credentials.append shares it
    SELECT count(*) INTO has FROM es.streams s
        WHERE s.category = 'credential' AND s.account_id = p_request.account_id
          AND NOT EXISTS (SELECT FROM es.events e WHERE e.stream_id = s.stream_id AND e.type = 'credential.removed');
    IF has > 0 THEN
        RAISE EXCEPTION 'the account has credentials' USING ERRCODE = 'ES427', DETAIL = has::text;
    END IF;
    IF NOT EXISTS (SELECT FROM personal.keys k WHERE k.account_id = p_request.account_id AND k.wrapped IS NOT NULL) THEN
        RAISE EXCEPTION 'the account has no key' USING ERRCODE = 'ES428';
    END IF;
    done := es.append('account', p_request);
    UPDATE personal.keys k SET wrapped = NULL, erased_at = clock_timestamp()
        WHERE k.account_id = p_request.account_id AND k.wrapped IS NOT NULL;
    DELETE FROM es.idempotency i WHERE i.account_id = p_request.account_id;
    RETURN done;
END $$;
