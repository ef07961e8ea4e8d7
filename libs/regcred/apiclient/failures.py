"""Errors of this package for the failures of transports. Messages of libraries would quote URLs and bytes."""

import ssl

from regcred.apiclient.errors import NotConnected, ResponseLost


def not_connected(address: str, error: BaseException) -> NotConnected:
    """The error for a connection that failed with `error`."""
    untrusted = _tls_failure(error)
    if untrusted:
        return NotConnected(
            f"no secure connection to {address}: {untrusted} "
            "(set SSL_CERT_FILE to the file of your certificate authorities)"
        )
    return NotConnected(f"regcred does not respond at {address}; is `make up` running?")


def broken(address: str) -> ResponseLost:
    """The error for a connection that broke after the request may have been sent."""
    return ResponseLost(f"the connection to {address} broke before the response was complete")


def _tls_failure(error: BaseException) -> str | None:
    """The reason of a failure of TLS, or `None`. Libraries report it in the chain of causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted, {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "the server violates the TLS protocol"
        cause = cause.__cause__ or cause.__context__
    return None
