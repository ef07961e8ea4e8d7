"""The accounts that this browser looked at last, in a cookie of its own: they outlive a session."""

from flask import Flask, Response, g, request

from chassis.ids import is_platform_id

COOKIE = "regcred-accounts"
MOST = 8
_DAYS_90 = 90 * 24 * 3600
_SUCCESS = 200


def install(app: Flask, *, tls: bool) -> None:
    """Remember the account of every page that is shown, and lead back to it from those of none."""

    @app.context_processor
    def known_to_templates() -> dict[str, str | None]:
        return {"place": place()}

    @app.after_request
    def remember(response: Response) -> Response:
        account = (request.view_args or {}).get("account")
        if g.session is not None and account and response.status_code == _SUCCESS:
            known = recent()
            if not known or known[0] != account:
                names = [account, *(name for name in known if name != account)][:MOST]
                response.set_cookie(
                    COOKIE, ".".join(names), max_age=_DAYS_90, httponly=True, samesite="Strict", secure=tls
                )
        return response


def place() -> str | None:
    """The account of this page, else the one that was looked at last."""
    account: str | None = (request.view_args or {}).get("account")
    return account or next(iter(recent()), None)


def recent() -> list[str]:
    """The newest first."""
    names = request.cookies.get(COOKIE, "").split(".")
    return [name for name in names if is_platform_id(name)][:MOST]
