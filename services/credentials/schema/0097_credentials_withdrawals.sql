-- Changes by which workloads lose a credential.
CREATE OR REPLACE FUNCTION credentials.event_types() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY['credential.added', 'credential.details_changed', 'credential.secret_rotated',
                 'credential.restrictions_changed', 'credential.access_withdrawn', 'credential.removed',
                 'verification.requested']
$$;
