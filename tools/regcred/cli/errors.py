"""Errors of the command line, beside those of `regcred.apiclient.errors`.

    ClientError
    ├── SecretUnreadable      the file or stdin that should hold the secret does not
    ├── OutputUnwritable      the output file cannot be written
    ├── CredentialUnknown     no credential has that id or name
    └── ProviderUnknown       no provider has that id

Every message is written for the person at the terminal. None of them quotes a secret, or an answer's body.
"""

from regcred.apiclient.errors import ClientError


class SecretUnreadable(ClientError):
    pass


class OutputUnwritable(ClientError):
    pass


class CredentialUnknown(ClientError):
    pass


class ProviderUnknown(ClientError):
    pass
