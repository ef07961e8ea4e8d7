"""The types of problems: the status and the meaning of each code."""

from typing import NamedTuple


class ProblemType(NamedTuple):
    """The status of the responses with a code, and the advice for the caller."""

    status: int
    advice: str


# Every code of a problem document. Tests compare it with the sources, and with each response that they get.
PROBLEMS = {
    "invalid_request": ProblemType(
        422, "A value cannot be accepted; `errors` names each by its pointer, with its own code."
    ),
    "invalid_json": ProblemType(400, "The body is not JSON."),
    "unsupported_media_type": ProblemType(415, "Send the body as application/json."),
    "too_large": ProblemType(413, "The body, or the event that would record it, is too large."),
    "unauthenticated": ProblemType(
        401, "Send a valid bearer token. The response is the same for every reason."
    ),
    "insufficient_scope": ProblemType(403, "The token lacks a scope; the detail names it."),
    "account_forbidden": ProblemType(
        403,
        "The token is limited to other accounts, or the route concerns the installation and "
        "needs a token for all accounts and projects.",
    ),
    "project_forbidden": ProblemType(
        403, "The token is limited to projects, and this request names none of them."
    ),
    "exceeds_own_rights": ProblemType(
        403, "A token can have no right that its creator does not have, and not outlive it."
    ),
    "last_admin_token": ProblemType(
        409, "This is the last token for everything. Create another one before it is revoked."
    ),
    "token_revoked": ProblemType(
        409, "The token that was created under this Idempotency-Key is revoked; use another key."
    ),
    "not_found": ProblemType(404, "The resource does not exist, or not in this account."),
    "credential_not_found": ProblemType(404, "No credential of this account has this id, or it was removed."),
    "no_matching_credential": ProblemType(
        404,
        "The account has no credential for that registry; `errors` names the images. "
        "`allow_anonymous` omits them.",
    ),
    "no_eligible_credential": ProblemType(
        403,
        "The account has credentials for that registry, but none for this project or "
        "image; `errors` has the reasons, POST …/resolutions those of each credential. `allow_anonymous` "
        "omits them if it is `not_eligible`.",
    ),
    "format_not_possible": ProblemType(
        409,
        "The credential is an identity token, not a password, which the format or the "
        "client needs; ask for a docker_config.",
    ),
    "one_login_per_host": ProblemType(
        409,
        "The `client` looks up one login for each host, and the request needs several; "
        "`errors` names the images to request on their own.",
    ),
    "login_refused": ProblemType(
        409, "The cloud refuses the credential's keys; rotate it. The detail has the reason."
    ),
    "secret_unreadable": ProblemType(
        409, "The stored secret cannot be read any more, also not later; rotate the credential."
    ),
    "login_unavailable": ProblemType(
        503, "The cloud that creates the login is unavailable; try again after Retry-After."
    ),
    "credential_state_damaged": ProblemType(
        503, "The stored state of a credential differs from the log; ask the operator."
    ),
    "credential_changing": ProblemType(
        503, "The credential is changing too often; try again after Retry-After."
    ),
    "registry_refused": ProblemType(502, "The registry responded with an error; the detail has it."),
    "registry_unreachable": ProblemType(
        502, "The registry cannot be reached, or its responses are not those of a registry."
    ),
    "repository_not_found": ProblemType(
        404, "The registry has no such repository, or hides it from this login."
    ),
    "too_many_at_once": ProblemType(
        429,
        "Too many requests of the caller wait, or too many wait for registries or follow the "
        "audit trail; try again after Retry-After.",
    ),
    "limit_reached": ProblemType(
        429,
        "A limit of the account, token or credential is reached; the detail and `RateLimit` "
        "name it. Try again after Retry-After.",
    ),
    "credentials_limited": ProblemType(
        429, "The account has as many credentials as it may have; remove one first."
    ),
    "tokens_limited": ProblemType(
        429, "This token has created as many valid tokens as it may; revoke one first."
    ),
    "too_many_logins": ProblemType(
        429, "A registry or account has reached its limit of logins; try again after Retry-After."
    ),
    "login_held_back": ProblemType(
        429,
        "The registry refused this login, or limits its requests; try again after "
        "Retry-After, which grows with every refusal.",
    ),
    "verification_failed": ProblemType(
        409,
        "The registry refused this secret at its last verification, so it is not used: "
        "rotate it, or verify it again.",
    ),
    "other_repository": ProblemType(
        403, "None of the credential's `repository_prefixes` covers that repository."
    ),
    "no_pull_scope": ProblemType(
        403, "The scope of the credential excludes pulls, so nothing is read with it."
    ),
    "credential_in_use": ProblemType(
        409,
        "Workloads use the credential and would lose it, `users` names them. With "
        "`force=true` and a `reason` it is done anyway.",
    ),
    "no_former_secret": ProblemType(409, "The secret was never rotated, so there is nothing to roll back."),
    "former_secret_gone": ProblemType(
        410,
        "The grace of the last rotation is over, or the former secret cannot be read; rotate instead.",
    ),
    "secret_not_verified": ProblemType(
        422,
        "The new secret was not verified, so the credential has its former one; `verification` has the "
        "verdict and what helps.",
    ),
    "rotation_discarded": ProblemType(
        409, "The requested rotation was not done, because the credential was changed meanwhile."
    ),
    "name_taken": ProblemType(409, "Another credential of the account has this name; case does not matter."),
    "if_match_required": ProblemType(428, "Changes need If-Match with the ETag that they are based on."),
    "stale_version": ProblemType(412, "The credential was changed in the meantime; read it again."),
    "idempotency_key_reused": ProblemType(422, "The Idempotency-Key was used for another request."),
    "idempotency_key_in_flight": ProblemType(
        409, "The first request with this Idempotency-Key is not complete yet."
    ),
    "invalid_idempotency_key": ProblemType(
        400, "An Idempotency-Key has 1 to 255 printable ASCII characters."
    ),
    "audit_sealed": ProblemType(
        410,
        "That part of the audit trail is archived in the segments that `sealed` names. "
        "The operator has them; `regcred audit segments show` reads them.",
    ),
    "invalid_on_behalf_of": ProblemType(400, "Regcred-On-Behalf-Of has 1 to 255 printable ASCII characters."),
    "invalid_position": ProblemType(400, "Regcred-Wait-For must be a Regcred-Position of this API."),
    "invalid_cursor": ProblemType(400, "A cursor must be that of an earlier page."),
    "issuer_unavailable": ProblemType(
        503, "The keys of the token's issuer cannot be read now; try again after Retry-After."
    ),
    "read_model_behind": ProblemType(
        503, "The read model has not caught up yet; try again after Retry-After."
    ),
    "log_not_adopted": ProblemType(
        503, "The database was restored, and its log has to be adopted; ask the operator."
    ),
    "database_unavailable": ProblemType(
        503, "The database is unreachable, read-only or full; try again after Retry-After."
    ),
    "key_missing": ProblemType(
        503, "The process has an older key file than the data; try again after Retry-After."
    ),
    "secret_store_unavailable": ProblemType(
        503, "The secret store cannot be reached; try again after Retry-After."
    ),
    "method_not_allowed": ProblemType(405, "The route does not support this method."),
    "bad_request": ProblemType(400, "The request is not valid HTTP, or its length is ambiguous."),
    "request_timeout": ProblemType(
        408, "The request did not arrive in time: its head within 10 seconds, all of it within 30."
    ),
    "target_too_long": ProblemType(414, "Path and query are too long."),
    "header_too_large": ProblemType(431, "The line and header of a request have at most 16 KiB."),
    "not_implemented": ProblemType(501, "The only transfer coding is `chunked`."),
    "unavailable": ProblemType(503, "The process is stopping; try again after Retry-After."),
    "overloaded": ProblemType(503, "Too many requests wait in this process; try again after Retry-After."),
    "internal_error": ProblemType(
        500, "An internal error; the log of the service has the cause under the request id."
    ),
}
