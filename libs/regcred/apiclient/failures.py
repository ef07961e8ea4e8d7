"""Failures of transports as errors of this package; those of libraries quote URLs and bytes."""

import ssl

from regcred.apiclient.errors import AnswerLost, NoAnswer


def not_connected(address: str, error: BaseException) -> NoAnswer:
    """There is no connection, because of `error`."""
    untrusted = _tls_failure(error)
    if untrusted:
        return NoAnswer(
            f"no secure connection to {address}: {untrusted} "
            "(SSL_CERT_FILE may name the file of your authorities)"
        )
    return NoAnswer(f"regcred does not answer at {address}; is `make up` running?")


def broken(address: str) -> AnswerLost:
    """The connection broke after something may have been sent."""
    return AnswerLost(f"the connection to {address} broke before the whole answer was there")


def _tls_failure(error: BaseException) -> str | None:
    """Why TLS failed, if it did: libraries hide it as the cause of the cause."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted, {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "it does not speak TLS as it should"
        cause = cause.__cause__ or cause.__context__
    return None
