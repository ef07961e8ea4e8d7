"""Why a login could not be tried.

LoginNotTried
├── Blocked           the policy does not permit an address, a realm, or its scheme
├── Unreachable       no address, no connection, a reset, or a timeout
├── TlsFailed         the server does not speak TLS, or its certificate is not valid
├── NotHttp           the server does not speak HTTP
├── BudgetExceeded    too many requests
├── BadChallenge      the registry's challenge cannot be read
└── LoginTooLarge     the login is larger than the requests that servers accept

Messages contain nothing that a registry sent, with one exception: the message about a blocked token server
names its host, shortened and without special characters, so that users know what to ask their operator for.
"""


class LoginNotTried(Exception):
    """The message is for users and has a limited length."""


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


class LoginTooLarge(LoginNotTried):
    pass
