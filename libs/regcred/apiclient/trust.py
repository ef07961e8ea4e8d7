"""The certificate authorities that a client trusts: those of the system, and those of `REGCRED_CA_FILE`.

OpenSSL reads `SSL_CERT_FILE` and `SSL_CERT_DIR` in place of the authorities of the system.
"""

import ssl
from pathlib import Path

from regcred.apiclient.errors import ConfigurationError

CA_FILE = "REGCRED_CA_FILE"


def trust(context: ssl.SSLContext, ca_file: Path | None) -> ssl.SSLContext:
    """Add the authorities of `ca_file` to those that `context` trusts already, and return it.

    Raises:
        ConfigurationError: the file cannot be read, or contains no certificate in PEM form.
    """
    if ca_file is None:
        return context
    try:
        context.load_verify_locations(cafile=ca_file)
    except ssl.SSLError:
        raise ConfigurationError(f"{ca_file} ({CA_FILE}) contains no certificate in PEM form") from None
    except OSError as error:
        raise ConfigurationError(f"{ca_file} ({CA_FILE}): {error.strerror}") from None
    return context
