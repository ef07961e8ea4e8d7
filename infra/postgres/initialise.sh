#!/bin/sh
# Runs once, at the first start of the database. It creates the owner of regcred's schema, who is not a superuser.
# `regcred migrate` creates the logins of the services and can change their passwords.
#
# The sort order is that of the locale C, regardless of the locale of the server. Another order changes with the C
# library of the image, which makes existing indexes wrong.
set -eu
psql --quiet -v ON_ERROR_STOP=1 -U postgres <<'SQL'
\set password `cat /run/secrets/owner.password`
CREATE ROLE "regcred-owner" LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE regcred OWNER "regcred-owner" TEMPLATE template0 ENCODING 'UTF8'
    LOCALE_PROVIDER libc LOCALE 'C';
REVOKE CONNECT ON DATABASE regcred FROM PUBLIC;
SQL
