"""The providers: name, hosts, accepted secrets, and where their users get those.

The one place of this data. The forms of the console, the checks of the API and `docs/providers.md` all come
from it. Hosts and credentials follow the vendors' documentation named in `docs_url`.
"""

import re
from typing import Any

from contracts.verdicts import VerificationCode
from registries.errors import InvalidRegistry
from registries.google_locations import GAR_LOCATIONS, GCR_LOCATIONS
from registries.hosts import DOCKER_HUB, DOCKER_HUB_ALIASES
from registries.provider import Provider, UsernameRule
from registries.secret_forms import forms_of
from registries.verification_help import GENERAL_HELP, PROVIDER_HELP

_GOOGLE_USERNAME = UsernameRule(
    rule="default",
    label="Username",
    help="Leave it empty for an access token (oauth2accesstoken). For a key file choose the kind keyfile; it "
    "needs no username.",
    allowed=("oauth2accesstoken", "_json_key", "_json_key_base64"),
)
_GOOGLE_HELP = (
    "In Google Cloud, under IAM, Service accounts, create a key of type JSON for a service account and "
    "enter the downloaded file unchanged. An access token also works as a password, but expires after about "
    "an hour."
)
_ECR_DOMAINS = "|".join(
    re.escape(domain)
    for domain in (
        "amazonaws.com",
        "amazonaws.com.cn",
        "amazonaws.eu",
        "sc2s.sgov.gov",
        "c2s.ic.gov",
        "cloud.adc-e.uk",
        "csp.hci.ic.gov",
    )
)

PROVIDERS: tuple[Provider, ...] = (
    Provider(
        id="dockerhub",
        name="Docker Hub",
        hosts=(DOCKER_HUB,),
        aliases=tuple(sorted(DOCKER_HUB_ALIASES - {DOCKER_HUB})),
        registry_url="fixed",
        username=UsernameRule(
            rule="required",
            label="Docker ID or organization",
            help="Your Docker ID; for an organization access token the organization's name. Not the email "
            "address.",
        ),
        image_path="docker.io/<namespace>/<repository>",
        permission='"Read-only" for a personal access token ("Public Repo Read-only" logs in but cannot pull '
        'private images); "Image Pull" on the repositories for an organization access token.',
        expiry="As chosen when the token is created: never, or after up to a year. Passwords do not expire.",
        help="Create an access token under Account settings, Personal access tokens, and enter it in place "
        "of the password. Accounts with two-factor or single sign-on cannot use their password here.",
        quirks=(
            "Official images are below library/: nginx is docker.io/library/nginx.",
            "Pulls are counted by account, otherwise by address. Showing an image counts as one.",
            "Too many failed logins lock the user out for about 15 minutes.",
        ),
        docs_url="https://docs.docker.com/security/access-tokens/",
    ),
    Provider(
        id="gcr",
        name="Google Container Registry",
        hosts=tuple(location.host for location in GCR_LOCATIONS),
        locations=GCR_LOCATIONS,
        registry_url="fixed",
        secret_kinds=("keyfile", "username_password", "docker_config"),
        username=_GOOGLE_USERNAME,
        image_path="<host>/<project>/<image>",
        permission="Artifact Registry Reader (roles/artifactregistry.reader) on the project; Storage "
        "Object Viewer on the bucket where the project was never moved to Artifact Registry.",
        expiry="A key file expires only if a policy of the organization says so; regcred detects this. An "
        "access token expires after an hour.",
        help=_GOOGLE_HELP,
        quirks=(
            "Its hosts have been served by Artifact Registry since March 2025.",
            "Pass the key file as a file: a shell breaks its quotes and line breaks.",
        ),
        docs_url="https://cloud.google.com/artifact-registry/docs/docker/authentication",
    ),
    Provider(
        id="gar",
        name="Google Artifact Registry",
        hosts=("<location>-docker.pkg.dev", "docker.<location>.rep.pkg.dev"),
        locations=GAR_LOCATIONS,
        registry_url="fixed",
        secret_kinds=("keyfile", "username_password", "docker_config"),
        username=_GOOGLE_USERNAME,
        image_path="<location>-docker.pkg.dev/<project>/<repository>/<image>",
        permission="Artifact Registry Reader (roles/artifactregistry.reader) on the repository or project.",
        expiry="A key file expires only if a policy of the organization says so; regcred detects this. An "
        "access token expires after an hour.",
        help=_GOOGLE_HELP,
        quirks=(
            "The location is part of the host: each one needs a credential of its own.",
            "Pass the key file as a file: a shell breaks its quotes and line breaks.",
        ),
        docs_url="https://cloud.google.com/artifact-registry/docs/docker/authentication",
    ),
    Provider(
        id="github",
        name="GitHub Container Registry",
        hosts=("ghcr.io",),
        registry_url="fixed",
        username=UsernameRule(
            rule="required", label="GitHub username", help="The login of the account that owns the token."
        ),
        image_path="ghcr.io/<owner>/<image>",
        permission="read:packages",
        expiry="As chosen when the token is created; regcred asks GitHub after a login. The token of a "
        "workflow expires with its job.",
        help="Create a personal access token (classic) under Settings, Developer settings. Fine-grained "
        "tokens do not work with this registry. Where the organization uses SAML single sign-on, authorize "
        "the token for it.",
        quirks=(
            "Owner and image are in lower case.",
            "A bad or expired token is answered with 403, and breaks pulls of public images too.",
            "A token without read:packages can log in, but cannot pull.",
        ),
        docs_url="https://docs.github.com/en/packages/working-with-a-github-packages-registry/"
        "working-with-the-container-registry",
    ),
    Provider(
        id="gitlab",
        name="GitLab",
        hosts=("registry.gitlab.com",),
        registry_url="optional",
        username=UsernameRule(
            rule="required",
            label="Username",
            help="Your GitLab username, or the username of the deploy token (gitlab+deploy-token-...).",
        ),
        image_path="<host>/<group>/<project>[/<image>]",
        permission="read_registry",
        expiry="Access tokens within a year; regcred asks GitLab after a login. Deploy tokens never, unless "
        "they have a date.",
        help="Create a deploy token of the project or group, or an access token, and enter it as the "
        "password. For a self-hosted GitLab, name the host of its registry, such as registry.example.com "
        "or gitlab.example.com:5050.",
        quirks=(
            "The registry's host is not that of the web site.",
            "Any username is accepted with an access token.",
            "Many failed logins from one address block it for an hour, if the administrator enabled this.",
        ),
        docs_url=""
        "https://docs.gitlab.com/user/packages/container_registry/authenticate_with_container_registry/",
    ),
    Provider(
        id="ecr",
        name="Amazon Elastic Container Registry",
        hosts=("<account>.dkr.ecr.<region>.amazonaws.com", "public.ecr.aws"),
        registry_url="required",
        host_pattern=re.compile(
            rf"[0-9]{{12}}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.({_ECR_DOMAINS})"
            r"|[0-9]{12}\.dkr-ecr(-fips)?\.[a-z0-9-]+\.(on\.aws|on\.amazonwebservices\.com\.cn)"
            r"|public\.ecr\.aws|ecr-public\.aws\.com"
        ),
        host_rule="<12 digits>.dkr.ecr.<region>.amazonaws.com or public.ecr.aws",
        secret_kinds=("aws_keys", "username_password", "docker_config"),
        username=UsernameRule(rule="fixed", label="Username", help="Always AWS.", allowed=("AWS",)),
        image_path="<account>.dkr.ecr.<region>.amazonaws.com/<repository>",
        permission="ecr:GetAuthorizationToken, ecr:BatchGetImage, ecr:GetDownloadUrlForLayer and "
        "ecr:BatchCheckLayerAvailability.",
        expiry="Access keys of a user do not expire; a password of `aws ecr get-login-password` expires "
        "after 12 hours.",
        help="Enter an access key of an IAM user with these rights: regcred creates passwords, which expire "
        "after 12 hours, from it. Or enter the output of `aws ecr get-login-password` as the password, and "
        "rotate it from a scheduled job.",
        quirks=(
            "The access key creates passwords for the region in the registry's host.",
            "Listing tags also needs ecr:ListImages.",
        ),
        docs_url="https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html",
    ),
    Provider(
        id="acr",
        name="Azure Container Registry",
        hosts=("<name>.azurecr.io",),
        registry_url="required",
        host_pattern=re.compile(r"[a-z0-9]{5,50}(-[a-z0-9]+)?(\.[a-z0-9-]+\.geo)?\.azurecr\.(io|cn|us)"),
        host_rule="<name>.azurecr.io",
        secret_kinds=("username_password", "service_principal", "docker_config"),
        username=UsernameRule(
            rule="required",
            label="Client id or token name",
            help="The application (client) id of a service principal, the name of a repository-scoped "
            "token, or the registry's name for its admin user.",
        ),
        image_path="<name>.azurecr.io/<repository>",
        permission="AcrPull; Container Registry Repository Reader where the registry uses repository "
        "permissions (ABAC); content/read for a token's scope map.",
        expiry="Client secrets at the date chosen when they are created, a year by default; passwords of "
        "tokens and of the admin user only if a date was set.",
        help="Create a service principal with the role on the registry and enter its client secret. "
        "As service_principal, with its tenant, deployments get tokens that are valid for some hours in its "
        "place. Or create a token under Repository permissions and enter its password.",
        quirks=(
            "In a registry with repository permissions (ABAC) AcrPull has no effect.",
            "Listing tags also needs metadata/read.",
        ),
        docs_url=""
        "https://learn.microsoft.com/en-us/azure/container-registry/container-registry-authentication",
    ),
    Provider(
        id="quay",
        name="Quay",
        hosts=("quay.io",),
        registry_url="optional",
        username=UsernameRule(
            rule="required",
            label="User or robot account",
            help="The full name of the robot account, such as acme+deploy, or your username.",
        ),
        image_path="quay.io/<namespace>/<repository>",
        permission="Read on the repositories.",
        expiry="Tokens of robot accounts do not expire.",
        help="Create a robot account in the organization, give it Read on the repositories, and enter its "
        "token. For a self-hosted Quay, name its host.",
        quirks=(
            "The username of a robot account contains a plus sign; that of a token is $oauthtoken or $app.",
        ),
        docs_url="https://docs.quay.io/glossary/robot-accounts.html",
    ),
    Provider(
        id="harbor",
        name="Harbor",
        hosts=("<your host>",),
        registry_url="required",
        username=UsernameRule(
            rule="required",
            label="User or robot account",
            help="The full name of the robot account with its prefix, such as robot$acme+deploy, or your "
            "username.",
        ),
        image_path="<host>/<project>/<repository>",
        permission="Pull repository on the project.",
        expiry="Robot accounts after the chosen number of days, or never.",
        help="Create a robot account in the project and enter its secret. Users who log in by OIDC enter "
        "the CLI secret of their profile.",
        quirks=(
            "The prefix robot$ can be configured; the full name stands beside the secret.",
            "regcred must trust a private certificate authority (REGCRED_VERIFIER_CA_FILE).",
        ),
        docs_url="https://goharbor.io/docs/latest/working-with-projects/project-configuration/"
        "create-robot-accounts/",
    ),
    Provider(
        id="gitea",
        name="Gitea or Forgejo",
        hosts=("<your host>",),
        registry_url="required",
        username=UsernameRule(
            rule="required", label="Username", help="The login of the account that owns the token."
        ),
        image_path="<host>/<owner>/<image>",
        permission="read:package",
        expiry="Tokens do not expire, unless the version supports a date.",
        help="Create an access token under Settings, Applications, and enter it as the password.",
        quirks=(
            "Every caller gets a token; only an image shows whether the login can pull.",
            "A token without read:package can log in, but cannot pull.",
        ),
        docs_url="https://docs.gitea.com/usage/packages/container",
    ),
    Provider(
        id="digitalocean",
        name="DigitalOcean Container Registry",
        hosts=("registry.digitalocean.com",),
        registry_url="fixed",
        username=UsernameRule(
            rule="required",
            label="Account email",
            help="The email address of the account. Not the token: usernames are visible to others.",
        ),
        image_path="registry.digitalocean.com/<registry>/<repository>",
        permission="registry:read",
        expiry="As chosen when the token is created.",
        help="Create an API token in the control panel under API with the scope registry:read, and enter it "
        "as the password.",
        quirks=("DigitalOcean accepts the token as username too. regcred does not: usernames are visible.",),
        docs_url="https://docs.digitalocean.com/products/container-registry/how-to/"
        "use-registry-docker-kubernetes/",
    ),
    Provider(
        id="custom",
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
    ),
)

_BY_ID = {entry.id: entry for entry in PROVIDERS}


def provider(provider_id: str) -> Provider:
    """The provider with this id.

    Raises:
        InvalidRegistry: there is none; `unknown_provider` at `/provider`.
    """
    try:
        return _BY_ID[provider_id]
    except KeyError:
        known = ", ".join(_BY_ID)
        raise InvalidRegistry("/provider", "unknown_provider", f"one of {known}") from None


def to_public(entry: Provider) -> dict[str, Any]:
    """The provider as `GET /v1/providers` answers it: text, lists and objects only.

    `username.values` are the usernames to choose from where not every one will do, the default first.
    `secrets` are the kinds as forms ask for them.
    """
    return {
        "id": entry.id,
        "name": entry.name,
        "hosts": list(entry.hosts),
        "aliases": list(entry.aliases),
        "locations": [
            {"id": location.id, "name": location.name, "host": location.host} for location in entry.locations
        ],
        "registry_url": entry.registry_url,
        "secret_kinds": list(entry.secret_kinds),
        "secrets": forms_of(entry),
        "username": {
            "rule": entry.username.rule,
            "label": entry.username.label,
            "help": entry.username.help,
            "values": list(entry.username.allowed),
        },
        "image_path": entry.image_path,
        "permission": entry.permission,
        "expiry": entry.expiry,
        "help": entry.help,
        "quirks": list(entry.quirks),
        "docs_url": entry.docs_url,
    }


def help_for(provider_id: str, code: VerificationCode) -> str:
    """What to do at this provider after a verification ended so. Any provider id gets the general advice."""
    return PROVIDER_HELP.get(provider_id, {}).get(code) or GENERAL_HELP[code]


def help_for_image(provider_id: str, code: VerificationCode | None) -> str | None:
    """What to do after a good login was tried on an image with that result; `None` where there is nothing."""
    if code is None or code is VerificationCode.UNVERIFIABLE:  # it could not be told, and deploying will
        return None
    return help_for(provider_id, code)
