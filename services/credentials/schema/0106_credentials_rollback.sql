-- Rollbacks of rotations.
CREATE OR REPLACE FUNCTION credentials.event_types() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY['credential.added', 'credential.details_changed', 'credential.secret_rotated',
                 'credential.secret_rolled_back', 'credential.restrictions_changed', 'credential.access_withdrawn',
                 'credential.frozen', 'credential.thawed', 'credential.removed', 'verification.requested']
$$;
