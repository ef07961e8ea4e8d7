-- The database in which the installation works, so that a copy of it does not delete the secrets of the original in Vault.
-- A dump that is restored writes the row in another transaction, into another table and another database, and a database that
-- is created from a template has another OID. A standby that is promoted and pg_upgrade (from PostgreSQL 15) change none of them. All
-- of this can be read by every login, also where a managed PostgreSQL does not grant pg_control_system(). A copy of the files of
-- the server cannot be told apart. A later migration that rewrites the row of this table has to write it again.
CREATE TABLE installation.home (  -- one row
    written_by  xid8 NOT NULL,
    table_id    oid NOT NULL,
    database_id oid NOT NULL
);

-- Let the installation work in this database from now on. Only the owner of the schema may call it.
CREATE FUNCTION installation.adopt_database() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM installation.home;
    INSERT INTO installation.home
        SELECT pg_current_xact_id(), 'installation.home'::regclass, d.oid FROM pg_database d WHERE d.datname = current_database()
$$;
REVOKE ALL ON FUNCTION installation.adopt_database FROM PUBLIC;
SELECT installation.adopt_database();

-- Whether this database is a copy of the one in which the installation works. Every role may call it.
CREATE FUNCTION installation.is_copy() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT EXISTS (
        SELECT FROM installation.home h JOIN pg_database d ON d.oid = h.database_id
        WHERE d.datname = current_database() AND h.table_id = h.tableoid AND h.written_by::xid = h.xmin)
$$;
