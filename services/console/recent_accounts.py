"""The accounts that the browser visited last, in a separate cookie that remains after a session ends."""

from flask import Flask, Response, current_app, g, request

from chassis.ids import is_platform_id

COOKIE = "regcred-accounts"
MAX_ACCOUNTS = 8
_DAYS_90 = 90 * 24 * 3600  # seconds
_SUCCESS = 200


def install(app: Flask) -> None:
    """Store the account of every page in the cookie, and define `current_account` for templates."""

    @app.context_processor
    def template_variables() -> dict[str, str | None]:
        return {"current_account": current_account()}

    @app.after_request
    def remember(response: Response) -> Response:
        account = (request.view_args or {}).get("account")
        if g.session is not None and account and response.status_code == _SUCCESS:
            earlier = recent()
            if not earlier or earlier[0] != account:
                names = [account, *(name for name in earlier if name != account)][:MAX_ACCOUNTS]
                response.set_cookie(
                    _name(),
                    ".".join(names),
                    max_age=_DAYS_90,
                    httponly=True,
                    samesite="Strict",
                    secure=_is_secure(),
                )
        return response


def current_account() -> str | None:
    """The account of this page, or the last one for a page without an account."""
    account: str | None = (request.view_args or {}).get("account")
    return account or next(iter(recent()), None)


def recent() -> list[str]:
    """The accounts in the cookie, the last one first. Invalid ids are omitted."""
    names = request.cookies.get(_name(), "").split(".")
    return [name for name in names if is_platform_id(name)][:MAX_ACCOUNTS]


def _name() -> str:
    """With TLS, only this host can set a cookie of this name."""
    return f"__Host-{COOKIE}" if _is_secure() else COOKIE


def _is_secure() -> bool:
    return bool(current_app.config["SESSION_COOKIE_SECURE"])
