"""`/openapi.json`, and `/docs`: the document as a page without scripts and without other hosts."""

from collections.abc import Callable
from html import escape
from typing import Any

from flask import Flask, Response

from chassis.web.authentication import public
from chassis.web.responses import json_response

_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.8rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); padding-bottom: .3rem; }
code, .path { font-family: ui-monospace, monospace; font-size: .92em; }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .6rem 0; padding: .5rem .9rem; }
summary { cursor: pointer; } summary .text { opacity: .75; margin-left: .5rem; }
.method { display: inline-block; min-width: 4.2rem; font-weight: 650; font-size: .85em; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
td, th { text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line); }
td, th { vertical-align: top; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
_METHODS = ("get", "post", "put", "patch", "delete")

# Every code of a problem document, and the advice for the caller. A test compares it with the code.
PROBLEMS = {
    "invalid_request": "A value cannot be accepted; `errors` names each by its pointer, with its own code.",
    "invalid_json": "The body is not JSON.",
    "unsupported_media_type": "Send the body as application/json.",
    "too_large": "The body, or the event that would record it, is too large.",
    "unauthenticated": "Send a valid bearer token. The response is the same for every reason.",
    "insufficient_scope": "The token lacks a scope; the detail names it.",
    "account_forbidden": "The token is limited to other accounts, or the route concerns the installation and "
    "needs a token for all accounts and projects.",
    "project_forbidden": "The token is limited to projects, and this request names none of them.",
    "exceeds_own_rights": "A token can have no right that its creator does not have, and not outlive it.",
    "last_admin_token": "This is the last token for everything. Create another one before it is revoked.",
    "token_revoked": "The token that was created under this Idempotency-Key is revoked; use another key.",
    "not_found": "The resource does not exist, or not in this account.",
    "credential_not_found": "No credential of this account has this id, or it was removed.",
    "no_matching_credential": "The account has no credential for that registry; `errors` names the images. "
    "`allow_anonymous` omits them.",
    "no_eligible_credential": "The account has credentials for that registry, but none for this project or "
    "image; `errors` has the reasons, POST …/resolutions those of each credential. `allow_anonymous` "
    "omits them if it is `not_eligible`.",
    "format_not_possible": "The credential is an identity token, not a password, which the format or the "
    "client needs; ask for a docker_config.",
    "one_login_per_host": "The `client` looks up one login for each host, and the request needs several; "
    "`errors` names the images to request on their own.",
    "login_refused": "The cloud refuses the credential's keys; rotate it. The detail has the reason.",
    "secret_unreadable": "The stored secret cannot be read any more, also not later; rotate the credential.",
    "login_unavailable": "The cloud that creates the login is unavailable; try again after Retry-After.",
    "credential_state_damaged": "The stored state of a credential differs from the log; ask the operator.",
    "credential_changing": "The credential is changing too often; try again after Retry-After.",
    "registry_refused": "The registry responded with an error; the detail has it.",
    "registry_unreachable": "The registry cannot be reached, or its responses are not those of a registry.",
    "repository_not_found": "The registry has no such repository, or hides it from this login.",
    "too_many_at_once": "Too many requests of the caller wait, or too many wait for registries or follow the "
    "audit trail; try again after Retry-After.",
    "limit_reached": "A limit of the account, token or credential is reached; the detail and `RateLimit` "
    "name it. Try again after Retry-After.",
    "credentials_limited": "The account has as many credentials as it may have; remove one first.",
    "tokens_limited": "This token has created as many valid tokens as it may; revoke one first.",
    "too_many_logins": "A registry or account has reached its limit of logins; try again after Retry-After.",
    "login_held_back": "The registry refused this login, or limits its requests; try again after "
    "Retry-After, which grows with every refusal.",
    "verification_failed": "The registry refused this secret at its last verification, so it is not used: "
    "rotate it, or verify it again.",
    "other_repository": "None of the credential's `repository_prefixes` covers that repository.",
    "no_pull_scope": "The scope of the credential excludes pulls, so nothing is read with it.",
    "credential_in_use": "Workloads use the credential and would lose it, `users` names them. With "
    "`force=true` and a `reason` it is done anyway.",
    "name_taken": "Another credential of the account has this name; case does not matter.",
    "if_match_required": "Changes need If-Match with the ETag that they are based on.",
    "stale_version": "The credential was changed in the meantime; read it again.",
    "idempotency_key_reused": "The Idempotency-Key was used for another request.",
    "idempotency_key_in_flight": "The first request with this Idempotency-Key is not complete yet.",
    "invalid_idempotency_key": "An Idempotency-Key has 1 to 255 printable ASCII characters.",
    "audit_sealed": "That part of the audit trail is archived in the segments that `sealed` names. "
    "The operator has them; `regcred audit segments show` reads them.",
    "invalid_on_behalf_of": "Regcred-On-Behalf-Of has 1 to 255 printable ASCII characters.",
    "invalid_position": "Regcred-Wait-For must be a Regcred-Position of this API.",
    "invalid_cursor": "A cursor must be that of an earlier page.",
    "issuer_unavailable": "The keys of the token's issuer cannot be read now; try again after Retry-After.",
    "read_model_behind": "The read model has not caught up yet; try again after Retry-After.",
    "log_not_adopted": "The database was restored, and its log has to be adopted; ask the operator.",
    "database_unavailable": "The database is unreachable, read-only or full; try again after Retry-After.",
    "key_missing": "The process has an older key file than the data; try again after Retry-After.",
    "secret_store_unavailable": "The secret store cannot be reached; try again after Retry-After.",
    "method_not_allowed": "The route does not support this method.",
    "bad_request": "The request is not valid HTTP, or its length is ambiguous.",
    "request_timeout": "The request did not arrive in time: its head within 10 seconds, all of it within 30.",
    "target_too_long": "Path and query are too long.",
    "header_too_large": "The line and header of a request have at most 16 KiB.",
    "not_implemented": "The only transfer coding is `chunked`.",
    "unavailable": "The process is stopping; try again after Retry-After.",
    "overloaded": "Too many requests wait in this process; try again after Retry-After.",
    "internal_error": "An internal error; the log of the service has the cause under the request id.",
}


def install(app: Flask, document: Callable[[], dict[str, Any]]) -> None:
    """Serve the document and its page without authentication."""

    @app.get("/openapi.json")
    @public
    def openapi() -> Response:
        return json_response(document())

    @app.get("/docs")
    @public
    def documentation() -> Response:
        headers = {"Content-Security-Policy": _POLICY}
        return Response(page(document()), content_type="text/html; charset=utf-8", headers=headers)


def page(document: dict[str, Any]) -> str:
    """The page of an OpenAPI document."""
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                operation = operations[method]
                shared = operations.get("parameters", [])
                tag = (operation.get("tags") or ["other"])[0]
                groups.setdefault(tag, []).append(_operation(path, method, operation, shared))
    routes = "".join(f"<h2>{escape(tag)}</h2>{''.join(items)}" for tag, items in groups.items())
    rows = "".join(
        f'<tr id="problem-{code}"><td><code>{code}</code></td><td>{escape(text)}</td></tr>'
        for code, text in PROBLEMS.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>regcred API</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body>'
        "<h1>regcred API</h1><p>JSON under <code>/v1</code>, bearer tokens, problem documents (RFC 9457). "
        'The same as a document: <a href="/openapi.json">/openapi.json</a>.</p>'
        f"{routes}<h2>Problems</h2><table><tr><th>code</th><th>what it means</th></tr>{rows}</table>"
        "</body></html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any], shared: list[dict[str, Any]]) -> str:
    parameters = "".join(
        f"<tr><td><code>{escape(p['name'])}</code></td><td>{escape(p['in'])}</td>"
        f"<td>{escape(p.get('description') or p.get('schema', {}).get('description') or '')}</td></tr>"
        for p in [*shared, *operation.get("parameters", [])]
        if "name" in p
    )
    responses = ", ".join(sorted(str(status) for status in operation.get("responses", {})))
    body = _body(operation)
    return (
        f'<details><summary><span class="method">{method.upper()}</span>'
        f'<span class="path">{escape(path)}</span>'
        f'<span class="text">{escape(operation.get("summary", ""))}</span></summary>'
        f"<p>{escape(operation.get('description', ''))}</p>"
        + (f"<table>{parameters}</table>" if parameters else "")
        + (f"<p>Body: <code>{escape(body)}</code></p>" if body else "")
        + f"<p>Responses: {escape(responses)}</p></details>"
    )


def _body(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    reference: str = content.get("application/json", {}).get("schema", {}).get("$ref", "")
    return reference.rsplit("/", 1)[-1]
