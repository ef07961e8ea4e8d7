"""The address of who asks, from what trusted proxies say."""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from chassis.settings.trusted_proxies import TrustedProxies


def client_addresses(application: WSGIApplication, proxies: TrustedProxies) -> WSGIApplication:
    """The application, with REMOTE_ADDR as that of the client for whom trusted proxies speak."""

    def with_client_address(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        forwarded = environ.get("HTTP_X_FORWARDED_FOR")
        if forwarded:
            environ["REMOTE_ADDR"] = proxies.client(environ.get("REMOTE_ADDR", ""), forwarded)
        return application(environ, start_response)

    return with_client_address
