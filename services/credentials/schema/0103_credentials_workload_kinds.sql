-- The case of the kind of a workload does not matter. 0.9.0 stored it as it was sent, and may do so while both versions run.
INSERT INTO credentials.usages AS u
    SELECT credential_id, project_id, lower(workload_kind COLLATE "C"), workload_name, max(last_issued_at),
           (array_agg(secret_version ORDER BY last_issued_at DESC))[1]
    FROM credentials.usages
    GROUP BY credential_id, project_id, lower(workload_kind COLLATE "C"), workload_name
    HAVING bool_or(workload_kind <> lower(workload_kind COLLATE "C"))
    ON CONFLICT (credential_id, project_id, workload_kind, workload_name) DO UPDATE
        SET last_issued_at = excluded.last_issued_at, secret_version = excluded.secret_version;
DELETE FROM credentials.usages WHERE workload_kind <> lower(workload_kind COLLATE "C");

CREATE FUNCTION credentials.lower_workload_kind() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.workload_kind := lower(NEW.workload_kind COLLATE "C");
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION credentials.lower_workload_kind FROM PUBLIC;
CREATE TRIGGER lower_workload_kind BEFORE INSERT ON credentials.usages
    FOR EACH ROW EXECUTE FUNCTION credentials.lower_workload_kind();
