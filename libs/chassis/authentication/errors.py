"""Errors of authentication."""

from chassis.runtime.unavailable import Unavailable


class IssuerUnavailable(Unavailable):
    """The keys of a trusted issuer cannot be read now, so its tokens can be neither accepted nor refused."""

    code = "issuer_unavailable"
    sentence = "the keys of the token's issuer cannot be read now"
    retry_after = 5
