"""Errors of the command line, in addition to those of `regcred.apiclient.errors`.

    ClientError
    ├── SecretUnreadable      the secret cannot be read from the file or stdin
    ├── OutputUnwritable      the output file cannot be written
    ├── CredentialUnknown     no credential has that id or name
    └── ProviderUnknown       no provider has that id

Every message is for the user at the terminal. No message quotes a secret or the body of a response.
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
