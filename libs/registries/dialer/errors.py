"""Why a login could not be tried. None holds anything that a registry sent, but for one: a token server that
is refused is named by its host, cut and cleaned, so that people can see what to ask their operator for.

LoginNotTried
├── Blocked           policy: an address, a realm, or its scheme
├── Unreachable       no name, no connection, reset, or out of time
├── TlsFailed         no TLS spoken there, or its certificate is not good
├── NotHttp           what answers does not speak HTTP
├── BudgetExceeded    too many requests, or a header of too many bytes
└── BadChallenge      what the registry asks for cannot be understood
"""


class LoginNotTried(Exception):
    """The message is for people, and bounded."""


class Blocked(LoginNotTried):
    pass


class Unreachable(LoginNotTried):
    pass


class TlsFailed(LoginNotTried):
    pass


class NotHttp(LoginNotTried):
    pass


class BudgetExceeded(LoginNotTried):
    pass


class BadChallenge(LoginNotTried):
    pass
