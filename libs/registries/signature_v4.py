"""AWS Signature Version 4 of a request without a query.

AWS documents it in "Create a signed request":

    canonical request ─sha256─▶ string to sign ─HMAC with a key of the day─▶ Authorization

The key of the day is derived from the secret, the date, the region and the service.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from registries.logins.cloud_keys import AwsKeys

_ALGORITHM = "AWS4-HMAC-SHA256"


def signed(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    keys: AwsKeys,
    region: str,
    service: str,
    at: datetime,
) -> dict[str, str]:
    """All headers of a signed POST request.

    They are `headers` and those that are added for the signature. All of them are signed.
    """
    stamp = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    sent = {**headers, "Host": urlsplit(url).netloc, "X-Amz-Date": stamp}
    if keys.session_token is not None:
        sent["X-Amz-Security-Token"] = keys.session_token.reveal()
    lower = {name.lower(): " ".join(value.split()) for name, value in sent.items()}
    names = ";".join(sorted(lower))
    canonical = "\n".join(
        (
            "POST",
            quote(urlsplit(url).path or "/", safe="/-_.~"),
            "",
            *(f"{name}:{lower[name]}" for name in sorted(lower)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join((_ALGORITHM, stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = ("AWS4" + keys.secret_access_key.reveal()).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    sent["Authorization"] = (
        f"{_ALGORITHM} Credential={keys.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return sent
