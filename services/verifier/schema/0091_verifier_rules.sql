-- The verifier writes events of its own types to the verification streams of existing credentials, and uses its own leases and
-- consumer.

-- SHA-1 (FIPS 180-4), which PostgreSQL has in no function. Ids of streams are derived with it (RFC 9562, version 5). It is called
-- for the first event of a stream only.
CREATE FUNCTION verifier.sha1(message bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    padded bytea := message || '\x80'::bytea || decode(repeat('00', (119 - length(message) % 64) % 64), 'hex')
                    || int8send(8 * length(message)::bigint);
    mask   bigint := 4294967295;
    hash   bigint[] := ARRAY[1732584193, 4023233417, 2562383102, 271733878, 3285377520];
    words  bigint[];
    word   bigint;
    a bigint; b bigint; c bigint; d bigint; e bigint;
BEGIN
    FOR block IN 0 .. length(padded) / 64 - 1 LOOP
        FOR n IN 1 .. 80 LOOP
            IF n <= 16 THEN
                words[n] := ('x' || encode(substr(padded, block * 64 + n * 4 - 3, 4), 'hex'))::bit(32)::bigint & mask;
            ELSE
                word := words[n - 3] # words[n - 8] # words[n - 14] # words[n - 16];
                words[n] := ((word << 1) | (word >> 31)) & mask;
            END IF;
        END LOOP;
        a := hash[1]; b := hash[2]; c := hash[3]; d := hash[4]; e := hash[5];
        FOR n IN 1 .. 80 LOOP
            word := (((a << 5) | (a >> 27)) & mask) + e + words[n] + CASE
                WHEN n <= 20 THEN ((b & c) | ((mask # b) & d)) + 1518500249
                WHEN n <= 40 THEN (b # c # d) + 1859775393
                WHEN n <= 60 THEN ((b & c) | (b & d) | (c & d)) + 2400959708
                ELSE (b # c # d) + 3395469782 END;
            e := d; d := c; c := ((b << 30) | (b >> 2)) & mask; b := a; a := word & mask;
        END LOOP;
        hash := ARRAY[(hash[1] + a) & mask, (hash[2] + b) & mask, (hash[3] + c) & mask, (hash[4] + d) & mask, (hash[5] + e) & mask];
    END LOOP;
    RETURN decode((SELECT string_agg(lpad(to_hex(part), 8, '0'), '' ORDER BY place)
                   FROM unnest(hash) WITH ORDINALITY AS h (part, place)), 'hex');
END $$;

-- The id of the verification stream of a credential, as `contracts.streams.verification_stream` derives it.
CREATE FUNCTION verifier.stream_of(credential uuid) RETURNS uuid
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    hash bytea := verifier.sha1(uuid_send('6f1c9f0e-8f0b-5d0c-9a55-1d2b6c1f7a10')
                                || convert_to('verification:' || credential, 'UTF8'));
BEGIN
    hash := set_byte(hash, 6, (get_byte(hash, 6) & 15) | 80);
    hash := set_byte(hash, 8, (get_byte(hash, 8) & 63) | 128);
    RETURN encode(substr(hash, 1, 16), 'hex')::uuid;
END $$;

ALTER FUNCTION verifier.append RENAME TO append_verification;
REVOKE ALL ON FUNCTION verifier.append_verification FROM regcred_verifier;

-- `verifier.append_verification`, for events, streams, leases and idempotency keys of the verifier only (SQLSTATE 42501). All
-- events are by regcred itself and concern the one credential to which the stream belongs.
CREATE FUNCTION verifier.append(
    p_request es.append_request, p_lease text DEFAULT NULL, p_epoch bigint DEFAULT NULL) RETURNS es.appended
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    credential uuid;
BEGIN
    PERFORM es.require_events(p_request, ARRAY[
        'verification.succeeded', 'verification.failed', 'verification.recovered',
        'verification.expiry_discovered', 'verification.expiry_approached', 'verification.expiry_passed'], NULL);
    credential := (p_request.events[1]).data->>'credential_id';
    IF (SELECT bool_and((e.data->>'credential_id')::uuid = credential AND e.meta#>>'{actor,type}' = 'system')
        FROM unnest(p_request.events) AS e) IS NOT TRUE
       OR NOT EXISTS (SELECT FROM es.streams s WHERE s.stream_id = credential AND s.category = 'credential'
                        AND s.account_id = p_request.account_id)
       -- The first event of a stream was checked when it was appended.
       OR credential IS DISTINCT FROM (SELECT (e.data->>'credential_id')::uuid FROM es.events e
                                       WHERE e.stream_id = p_request.stream_id AND e.version = 1)
          AND p_request.stream_id <> verifier.stream_of(credential)
       OR p_lease NOT IN ('verifier', 'verifier-schedule')
       OR p_request.idempotency_key NOT LIKE 'verification:%' AND p_request.idempotency_key NOT LIKE 'expiry:%' THEN
        RAISE EXCEPTION 'the stream, lease or key is not one of the verifier' USING ERRCODE = '42501';
    END IF;
    RETURN verifier.append_verification(p_request, p_lease, p_epoch);
END $$;

REVOKE ALL ON FUNCTION verifier.append, verifier.sha1, verifier.stream_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION verifier.append TO regcred_verifier;
GRANT SELECT, INSERT, UPDATE ON es.leases TO regcred_verifier;
GRANT EXECUTE ON FUNCTION es.lasts, es.log_end TO regcred_verifier;
CREATE POLICY verifier ON es.leases TO regcred_verifier USING (name IN ('verifier', 'verifier-schedule'));
CREATE POLICY verifier ON es.checkpoints TO regcred_verifier
    USING (consumer = 'verifier') WITH CHECK (consumer = 'verifier' AND position <= es.log_end());
CREATE POLICY verifier ON es.dead_letters TO regcred_verifier USING (consumer = 'verifier');
CREATE POLICY verifier ON es.retries TO regcred_verifier USING (consumer = 'verifier');
CREATE POLICY verifier ON encrypted.secrets FOR SELECT TO regcred_verifier USING (true);
