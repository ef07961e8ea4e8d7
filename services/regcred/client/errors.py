"""What can keep a command of the client from being done.

    ClientError
    ├── ConfigurationError    no token, an address that cannot be one
    ├── SecretUnreadable      the file or stdin that should hold the secret does not
    ├── OutputUnwritable      the file that should take what was answered does not
    ├── CredentialUnknown     no credential is called so
    ├── ProviderUnknown       no provider is
    ├── NoAnswer              nobody answers at the address; nothing was done
    ├── AnswerLost            the request went out, the answer never came: it may have been done
    ├── UnexpectedAnswer      something answers that is not regcred
    └── ApiProblem            regcred answered with a problem document (RFC 9457)

Every message is written for the person at the terminal. None of them quotes a secret, or an answer's body.
"""

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """The message says what is wrong and, where that is known, what to do."""


class ConfigurationError(ClientError):
    pass


class SecretUnreadable(ClientError):
    pass


class OutputUnwritable(ClientError):
    pass


class CredentialUnknown(ClientError):
    pass


class ProviderUnknown(ClientError):
    pass


class NoAnswer(ClientError):
    pass


class AnswerLost(ClientError):
    pass


class UnexpectedAnswer(ClientError):
    pass


class ApiProblem(ClientError):
    """A problem document. `status` and `code` are what programs decide by."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(document.get("code") or status)
        self.detail = str(document.get("detail") or document.get("title") or "")
        self.document = document
        super().__init__(f"{self.code}: {self.detail}")
