"""Whose certificates are trusted."""

import ssl
from pathlib import Path


def tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """The machine's certificate authorities, and those that the operator adds for private registries.

    Make it once: reading the authorities takes longer than a login's own work.
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context
