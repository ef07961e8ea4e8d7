"""What can keep the door from telling who asks."""


class IssuerUnavailable(Exception):
    """The keys of a trusted issuer cannot be read now: whether its token is good cannot be told."""
