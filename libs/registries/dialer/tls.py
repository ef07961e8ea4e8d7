"""The trusted certificate authorities of registries."""

import ssl
from pathlib import Path


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Trust the certificate authorities of the machine, and those in the operator's `ca_file`.

    Create it once: reading the authorities takes longer than the rest of a login.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context
