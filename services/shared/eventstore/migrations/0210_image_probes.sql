-- What became of an image that a good login was tried on: `{"image", "code", "detail"}`, NULL where none was named.
ALTER FUNCTION rm.create_generation(integer) RENAME TO create_generation_without_probes;
CREATE FUNCTION rm.create_generation(n integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    PERFORM rm.create_generation_without_probes(n);
    EXECUTE format('ALTER TABLE %I.verifications ADD COLUMN probe jsonb', 'rm_g' || n);
END $function$;
REVOKE ALL ON FUNCTION rm.create_generation(integer), rm.create_generation_without_probes(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION rm.create_generation_without_probes(integer) FROM regcred_projector;
GRANT EXECUTE ON FUNCTION rm.create_generation(integer) TO regcred_projector;

-- Those that are there have no probes to show, and need not be built anew for a column that is empty.
DO $$
DECLARE
    n integer;
BEGIN
    FOR n IN SELECT generation FROM rm.generations LOOP
        EXECUTE format('ALTER TABLE %I.verifications ADD COLUMN probe jsonb', 'rm_g' || n);
    END LOOP;
    SELECT generation INTO n FROM rm.generations WHERE status = 'live';
    EXECUTE format('CREATE OR REPLACE VIEW rm.verifications AS SELECT * FROM %I.verifications', 'rm_g' || n);
END $$;
