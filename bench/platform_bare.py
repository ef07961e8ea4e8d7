"""The limits: bare Flask handlers with the necessary queries only, under the settings of regcred's server.

Run as `python -m bench.platform_bare DATABASE_URL PORT`, with VAULT_ADDR and VAULT_TOKEN in the environment
if there is a Vault.


    GET /<account>/credentials/<name>   one SELECT of one row by an index
    GET /<account>/hosts/<host>         one SELECT, by an index, of the rows that a resolution decides on
    GET /<account>/secrets/<id>         one read of Vault, and one INSERT
"""

import os
import sys
from typing import Any

import psycopg
import requests
from flask import Flask, Response, jsonify
from psycopg_pool import ConnectionPool

from chassis.web.server import THREADS, serve

_TABLE = """
CREATE TABLE IF NOT EXISTS bare_issued (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id text NOT NULL, credential_id uuid NOT NULL,
    issued_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""
_INSERT = "INSERT INTO bare_issued (account_id, credential_id) VALUES (%s, %s)"
_ONE = """
SELECT credential_id, name, version FROM credentials.current WHERE account_id = %s AND lower(name) = %s
"""
_MANY = """
SELECT credential_id, name, version, repository_prefixes, pull, push, restricted, projects, secret_version,
       expires_at
FROM credentials.current WHERE account_id = %s AND registry_host = %s
"""


def bare(url: str) -> Flask:
    pool: ConnectionPool[psycopg.Connection[Any]] = ConnectionPool(
        url, kwargs={"autocommit": True}, min_size=1, max_size=THREADS, open=True
    )
    with pool.connection() as connection:
        connection.execute(_TABLE)
    vault = requests.Session()
    vault.trust_env = False
    vault.headers["X-Vault-Token"] = os.environ.get("VAULT_TOKEN", "")
    vault.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=THREADS))
    app = Flask("bare", static_folder=None)

    @app.get("/<account_id>/credentials/<name>")
    def one(account_id: str, name: str) -> Response:
        with pool.connection() as connection:
            row = connection.execute(_ONE, (account_id, name)).fetchone()
        assert row is not None
        return jsonify(credential_id=row[0], name=row[1], version=row[2])

    @app.get("/<account_id>/hosts/<host>")
    def many(account_id: str, host: str) -> Response:
        with pool.connection() as connection:
            rows = connection.execute(_MANY, (account_id, host)).fetchall()
        return jsonify(
            candidates=[{"credential_id": row[0], "name": row[1], "version": row[2]} for row in rows]
        )

    @app.get("/<account_id>/secrets/<uuid:credential_id>")
    def secret(account_id: str, credential_id: Any) -> Response:
        path = f"regcred/data/accounts/{account_id}/credentials/{credential_id}"
        response = vault.get(f"{os.environ['VAULT_ADDR']}/v1/{path}", timeout=10)
        response.raise_for_status()
        with pool.connection() as connection:
            connection.execute(_INSERT, (account_id, credential_id))
        return jsonify(secret=response.json()["data"]["data"]["secret"])

    return app


if __name__ == "__main__":
    serve(lambda: bare(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), proxies=None)
