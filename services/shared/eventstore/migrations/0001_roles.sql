-- One group role per service, without login: production grants each to that service's own login,
-- the one-machine mode takes it on with SET ROLE. Rights stand beside the objects, in the files that follow.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['regcred_credentials', 'regcred_verifier', 'regcred_projector',
                                'regcred_relay', 'regcred_query'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;  -- roles belong to the cluster: another database of it has made them
        END;
    END LOOP;
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
