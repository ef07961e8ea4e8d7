"""What goes wrong on the way to the API, as this package's errors; those of httpx2 quote URLs and bytes."""

from collections.abc import Iterator
from contextlib import contextmanager

from regcred.client.errors import AnswerLost, NoAnswer


@contextmanager
def speaking(address: str) -> Iterator[None]:
    """Raises `NoAnswer` where nothing was sent, `AnswerLost` where something may have been."""
    import httpx2  # noqa: PLC0415 see regcred.client.api

    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
        untrusted = _tls_failure(error)
        if untrusted:
            raise NoAnswer(
                f"no secure connection to {address}: {untrusted} "
                "(SSL_CERT_FILE may name the file of your authorities)"
            ) from None
        raise NoAnswer(f"regcred does not answer at {address}; is `make up` running?") from None
    except httpx2.TransportError:
        raise AnswerLost(f"the connection to {address} broke before the whole answer was there") from None
    except httpx2.InvalidURL:
        raise NoAnswer(f"{address} cannot be an address") from None


def _tls_failure(error: BaseException) -> str | None:
    """Why TLS failed, if it did: httpx2 hides it as the cause of the cause."""
    import ssl  # noqa: PLC0415 see regcred.client.api

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted, {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "it does not speak TLS as it should"
        cause = cause.__cause__ or cause.__context__
    return None
