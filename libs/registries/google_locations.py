"""Where Google serves its registries.

Container Registry's hosts have been served by Artifact Registry since March 2025 (Google Cloud, "Transition
from Container Registry"). Artifact Registry's regions are those known in January 2026; the list is for a
picker, a new region of the usual shape is taken without it.
"""

import re

from registries.provider import Location

GCR_LOCATIONS = (
    Location("gcr.io", "Global (served from the United States)", "gcr.io"),
    Location("us", "United States", "us.gcr.io"),
    Location("eu", "European Union", "eu.gcr.io"),
    Location("asia", "Asia", "asia.gcr.io"),
)

# Multi-regions are words of their own; a region is `area-place<number>`.
GAR_REGION = re.compile(r"[a-z]{2,20}-[a-z]{2,20}[0-9]{1,2}")
# The usual host, and the regional endpoint, which keeps the traffic within the region.
GAR_HOST = re.compile(r"(?:([a-z0-9-]+)-docker|docker\.([a-z0-9-]+)\.rep)\.pkg\.dev")

_GAR = """
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


def gar_host(location: str) -> str:
    """The host of Artifact Registry's Docker repositories in a region or multi-region."""
    return f"{location}-docker.pkg.dev"


GAR_LOCATIONS = tuple(
    Location(region, f"{name} ({region})", gar_host(region))
    for region, name in (line.split(" ", 1) for line in _GAR.strip().splitlines())
)
