"""Google Container Registry. Its hosts have been served by Artifact Registry since March 2025 (Google Cloud,
"Transition from Container Registry").
"""

from contracts.verdicts import VerificationCode as Code
from registries.provider import Location, Provider
from registries.providers import _google

_LOCATIONS = (
    Location("gcr.io", "Global (served from the United States)", "gcr.io"),
    Location("us", "United States", "us.gcr.io"),
    Location("eu", "European Union", "eu.gcr.io"),
    Location("asia", "Asia", "asia.gcr.io"),
)

PROVIDER = Provider(
    id="gcr",
    order=20,
    name="Google Container Registry",
    hosts=tuple(location.host for location in _LOCATIONS),
    locations=_LOCATIONS,
    registry_url="fixed",
    secret_kinds=_google.KINDS,
    username=_google.USERNAME,
    image_path="<host>/<project>/<image>",
    permission="Artifact Registry Reader (roles/artifactregistry.reader) on the project; Storage "
    "Object Viewer on the bucket where the project was never moved to Artifact Registry.",
    expiry=_google.EXPIRY,
    help=_google.HELP,
    quirks=(
        "Its hosts have been served by Artifact Registry since March 2025.",
        _google.KEY_FILE_QUIRK,
    ),
    docs_url=_google.DOCS_URL,
    advice={
        Code.BAD_CREDENTIAL: _google.KEY_REFUSED,
        Code.FORBIDDEN: (
            "The service account lacks access. Give it Artifact Registry Reader "
            "(roles/artifactregistry.reader) on the project, and check the location."
        ),
        Code.NO_PULL_ACCESS: (
            "Give the service account Artifact Registry Reader (roles/artifactregistry.reader) on the project"
            " that the image belongs to."
        ),
        Code.EXPIRED: _google.ACCESS_EXPIRED,
    },
    refused_usernames=_google.REFUSED_USERNAMES,
    helper_usernames=_google.HELPER_USERNAMES,
    expiry_request=_google.expiry_request,
    minter=_google.MINTER,
)
