"""The address of the client, from the headers of trusted proxies."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from chassis.settings.trusted_proxies import TrustedProxies


def client_addresses(application: WSGIApplication, proxies: TrustedProxies) -> WSGIApplication:
    """Wrap an application so that REMOTE_ADDR is the client of trusted proxies."""

    def with_client_address(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        forwarded = environ.get("HTTP_X_FORWARDED_FOR")
        if forwarded:
            environ["REMOTE_ADDR"] = proxies.client(environ.get("REMOTE_ADDR", ""), forwarded)
        return application(environ, start_response)

    return with_client_address
