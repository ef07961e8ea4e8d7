#!/bin/sh
# Once, at the first start of the database: the owner of regcred's schema, who is no superuser. The services'
# logins are made by `regcred migrate`, which can also give them other passwords.
#
# Whatever the server's own locale, the order is that of C: another one changes with the image's C library, and
# indexes that were made before are false then.
set -eu
psql --quiet -v ON_ERROR_STOP=1 -U postgres <<'SQL'
\set password `cat /run/secrets/owner.password`
CREATE ROLE "regcred-owner" LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE regcred OWNER "regcred-owner" TEMPLATE template0 ENCODING 'UTF8'
    LOCALE_PROVIDER libc LOCALE 'C';
REVOKE CONNECT ON DATABASE regcred FROM PUBLIC;
SQL
