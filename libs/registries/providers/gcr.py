"""Google Container Registry.

Its hosts have been served by Artifact Registry since March 2025 (Google Cloud, "Transition from Container
Registry").
"""

from dataclasses import replace

from contracts.verdicts import VerificationCode as Code
from registries.provider import Location
from registries.providers import _google

_LOCATIONS = (
    Location("gcr.io", "Global (served from the United States)", "gcr.io"),
    Location("us", "United States", "us.gcr.io"),
    Location("eu", "European Union", "eu.gcr.io"),
    Location("asia", "Asia", "asia.gcr.io"),
)

PROVIDER = replace(
    _google.BASE,
    id="gcr",
    order=20,
    name="Google Container Registry",
    hosts=tuple(location.host for location in _LOCATIONS),
    locations=_LOCATIONS,
    image_path="<host>/<project>/<image>",
    first_component="domain",  # a project of the domain example.com is example.com/project
    permission="Artifact Registry Reader (roles/artifactregistry.reader) on the project; Storage "
    "Object Viewer on the bucket where the project was never moved to Artifact Registry.",
    quirks=(
        "Its hosts have been served by Artifact Registry since March 2025.",
        *_google.BASE.quirks,
    ),
    advice={
        **_google.BASE.advice,
        Code.FORBIDDEN: (
            "The service account lacks access. Give it Artifact Registry Reader "
            "(roles/artifactregistry.reader) on the project, and check the location."
        ),
        Code.NO_PULL_ACCESS: (
            "Give the service account Artifact Registry Reader (roles/artifactregistry.reader) on the project"
            " that the image belongs to."
        ),
    },
)
