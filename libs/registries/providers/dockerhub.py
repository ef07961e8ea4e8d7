"""Docker Hub."""

from contracts.verdicts import VerificationCode as Code
from registries.hosts import DOCKER_HUB, DOCKER_HUB_ALIASES, api_host
from registries.provider import Provider, UsernameRule

PROVIDER = Provider(
    id="dockerhub",
    order=10,
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
    first_component="name",
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
    advice={
        Code.BAD_CREDENTIAL: (
            "Docker Hub refused the login. Use the Docker ID, not the email address, and an access token: "
            "passwords are refused for accounts with two-factor or single sign-on. The username of an "
            "organization access token is the organization's name."
        ),
        Code.RATE_LIMITED: (
            "Docker Hub locked the login for about 15 minutes after failed attempts, or limits this address. "
            "regcred will try again later; correct the secret meanwhile if it is wrong."
        ),
        Code.NO_PULL_ACCESS: (
            'The token may not pull that repository. A token with "Public Repo Read-only" cannot pull private'
            ' images: create one with "Read-only", or add the repository to the organization access token.'
        ),
    },
    refused_usernames=r"dckr_[op]at_\S{10,}",
    realms={api_host(DOCKER_HUB): "auth.docker.io"},
    needs_control_login=False,
)
