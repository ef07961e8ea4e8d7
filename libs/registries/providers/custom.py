"""Another registry."""

from registries.provider import Provider, UsernameRule

PROVIDER = Provider(
    id="custom",
    order=1000,
    name="Another registry",
    hosts=("<your host>",),
    registry_url="required",
    username=UsernameRule(rule="required", label="Username", help="As for `docker login`."),
    image_path="<host>/<repository>",
    permission="Pull on the repositories.",
    expiry="As the registry defines it. A JSON Web Token contains its expiry.",
    help="Any registry that `docker login` works with: Artifactory, Nexus, Zot, distribution and "
    "others. Use a user or token of its own that can only read.",
    quirks=(
        "A registry that accepts every login cannot be verified.",
        "regcred must trust a private certificate authority (REGCRED_VERIFIER_CA_FILE).",
    ),
    docs_url="https://distribution.github.io/distribution/",
)
