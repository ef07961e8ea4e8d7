-- As before, and it also erases the ids of requests, and deletes the usages of removed credentials: they name workloads.
CREATE OR REPLACE FUNCTION rm.erase_account(n integer, p_account text, p_paths jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    erased_before bigint;
BEGIN
    -- An erasure without a position yet comes after every row that a generation can have.
    SELECT max(coalesce(l.position, 9223372036854775807)) INTO erased_before
        FROM es.streams s LEFT JOIN es.log l ON l.stream_id = s.stream_id
        WHERE s.account_id = p_account AND s.category = 'account';
    IF erased_before IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format($$
        UPDATE %I.audit_events SET
            actor_id = CASE actor_type WHEN 'system' THEN actor_id ELSE 'erased' END,
            actor_name = CASE actor_type WHEN 'system' THEN actor_name ELSE 'erased' END,
            on_behalf_of = CASE WHEN on_behalf_of IS NOT NULL THEN 'erased' END,
            source_ip = CASE WHEN source_ip IS NOT NULL THEN 'erased' END,
            credential_name = CASE WHEN credential_name IS NOT NULL THEN 'erased' END,
            request_id = 'erased',
            correlation_id = 'erased',
            reason = CASE WHEN $3->action @> '[["reason"]]' AND reason IS NOT NULL THEN 'erased' ELSE reason END,
            before = CASE WHEN $3 ? action THEN rm.erased(before, $3->action) ELSE before END,
            after = CASE WHEN $3 ? action THEN rm.erased(after, $3->action) ELSE after END
        WHERE account_id = $1 AND position < $2 AND action <> 'account.erased' $$, 'rm_g' || n)
        USING p_account, erased_before, p_paths;
    -- An account is erased when all its credentials are removed. Later ones may be in the same batch.
    EXECUTE format($$
        DELETE FROM %I.usages u WHERE u.account_id = $1 AND EXISTS (
            SELECT FROM es.log l JOIN es.events e USING (stream_id, version)
            WHERE l.stream_id = u.credential_id AND l.position < $2 AND e.type = 'credential.removed') $$, 'rm_g' || n)
        USING p_account, erased_before;
END $function$;
