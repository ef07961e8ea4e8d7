"""Errors of this package for the failures of transports. Messages of libraries would quote URLs and bytes."""

import ssl

from regcred.apiclient.errors import NotConnected, ResponseLost

# From X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT to X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
_UNKNOWN_AUTHORITY = range(18, 22)
_AUTHORITY_REMEDY = (
    "set REGCRED_CA_FILE to the certificate of the authority that signed it, "
    "or add the authority to those of this machine"
)


def not_connected(address: str, error: BaseException) -> NotConnected:
    """The error for a connection that failed with `error`."""
    if reason := _tls_failure(error):
        return NotConnected(f"no secure connection to {address}: {reason}")
    return NotConnected(f"regcred does not respond at {address}; is `make up` running?")


def broken(address: str) -> ResponseLost:
    """The error for a connection that broke after the request may have been sent."""
    return ResponseLost(f"the connection to {address} broke before the response was complete")


def _tls_failure(error: BaseException) -> str | None:
    """The reason of a failure of TLS and its remedy, or `None`. Libraries report it in the causes."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            remedy = f" ({_AUTHORITY_REMEDY})" if cause.verify_code in _UNKNOWN_AUTHORITY else ""
            return f"its certificate is not trusted, {cause.verify_message}{remedy}"
        if isinstance(cause, ssl.SSLError):
            return "the server violates the TLS protocol (use http:// if it has no TLS)"
        cause = cause.__cause__ or cause.__context__
    return None
