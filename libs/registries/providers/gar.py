"""Google Artifact Registry.

The list of locations is from January 2026 and is used by forms. A new region of the usual form is accepted
without being listed.
"""

import re
from dataclasses import replace

from contracts.verdicts import VerificationCode as Code
from registries.provider import Location
from registries.providers import _google

_LOCATIONS = """
asia Asia, multi-region
europe Europe, multi-region
us United States, multi-region
africa-south1 Johannesburg
asia-east1 Taiwan
asia-east2 Hong Kong
asia-northeast1 Tokyo
asia-northeast2 Osaka
asia-northeast3 Seoul
asia-south1 Mumbai
asia-south2 Delhi
asia-southeast1 Singapore
asia-southeast2 Jakarta
asia-southeast3 Bangkok
australia-southeast1 Sydney
australia-southeast2 Melbourne
europe-central2 Warsaw
europe-north1 Finland
europe-north2 Stockholm
europe-southwest1 Madrid
europe-west1 Belgium
europe-west2 London
europe-west3 Frankfurt
europe-west4 Netherlands
europe-west6 Zurich
europe-west8 Milan
europe-west9 Paris
europe-west10 Berlin
europe-west12 Turin
me-central1 Doha
me-central2 Dammam
me-west1 Tel Aviv
northamerica-northeast1 Montreal
northamerica-northeast2 Toronto
northamerica-south1 Mexico
southamerica-east1 Sao Paulo
southamerica-west1 Santiago
us-central1 Iowa
us-east1 South Carolina
us-east4 Northern Virginia
us-east5 Columbus
us-south1 Dallas
us-west1 Oregon
us-west2 Los Angeles
us-west3 Salt Lake City
us-west4 Las Vegas
us-west8 Phoenix
"""

PROVIDER = replace(
    _google.BASE,
    id="gar",
    order=30,
    name="Google Artifact Registry",
    hosts=("<location>-docker.pkg.dev", "docker.<location>.rep.pkg.dev"),
    locations=tuple(
        Location(region, f"{name} ({region})", f"{region}-docker.pkg.dev")
        for region, name in (line.split(" ", 1) for line in _LOCATIONS.strip().splitlines())
    ),
    # The form of a region. Multi-regions, such as `europe`, have to be listed.
    location_pattern=re.compile(r"[a-z]{2,20}-[a-z]{2,20}[0-9]{1,2}"),
    # The usual host, and the regional endpoint, with which the traffic stays in the region.
    location_host_pattern=re.compile(r"(?:([a-z0-9-]+)-docker|docker\.([a-z0-9-]+)\.rep)\.pkg\.dev"),
    image_path="<location>-docker.pkg.dev/<project>/<repository>/<image>",
    first_component="domain",  # a project of the domain example.com is example.com/project
    permission="Artifact Registry Reader (roles/artifactregistry.reader) on the repository or project.",
    quirks=(
        "The location is part of the host; hosts of other locations can be additional hosts of a credential.",
        *_google.BASE.quirks,
    ),
    advice={
        **_google.BASE.advice,
        Code.FORBIDDEN: (
            "The service account lacks artifactregistry.repositories.downloadArtifacts. Give it Artifact "
            "Registry Reader on the repository or project, and check the location."
        ),
        Code.NO_PULL_ACCESS: (
            "Give the service account Artifact Registry Reader (roles/artifactregistry.reader) on the "
            "repository, and check its project and location."
        ),
    },
)
