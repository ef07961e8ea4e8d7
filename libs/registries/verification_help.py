"""Advice for the outcome of a verification: general, and per provider where it differs.

What providers answer to a bad or weak credential was read in their documentation, sources and issue threads;
the texts say what helps there most often.
"""

from collections.abc import Mapping

from contracts.verdicts import VerificationCode as Code

GENERAL_HELP: Mapping[Code, str] = {
    Code.BAD_CREDENTIAL: (
        "The registry refused the username or the secret. Check both, create a new token if in doubt, "
        "and rotate the secret of this credential."
    ),
    Code.MISSING_SCOPE: (
        "The login is right, but the token lacks the permission to read images. Create a token with the "
        "least permission named for this provider, and rotate."
    ),
    Code.FORBIDDEN: (
        "The registry forbids this login. Look for an IP allow-list, a firewall or a policy that blocks "
        "this service, or for a disabled account."
    ),
    Code.EXPIRED: "The secret has expired. Create a new one and rotate the secret of this credential.",
    Code.RATE_LIMITED: (
        "The registry limits its requests. The credential could not be verified; regcred will try again "
        "later."
    ),
    Code.UNREACHABLE: (
        "The registry did not answer. Check its name and port, and that this service can reach it; regcred "
        "will try again. An operator must allow a registry in a private network with "
        "REGCRED_VERIFIER_ALLOW."
    ),
    Code.TLS_ERROR: (
        "The registry's certificate is not trusted, has expired or is for another name. Renew it, or "
        "serve it with its full chain from a public authority."
    ),
    Code.BLOCKED_HOST: (
        "The registry, or its token server, has an address that this service is not allowed to reach. "
        "An operator can allow it with REGCRED_VERIFIER_ALLOW."
    ),
    Code.NOT_A_REGISTRY: (
        "The host is not a container registry. Enter the registry's own host, which often differs from "
        "that of its web site, and its port."
    ),
    Code.BAD_CHALLENGE: (
        "The registry's login instructions cannot be used. Check the token server's address and service "
        "name in its configuration."
    ),
    Code.UNVERIFIABLE: (
        "The registry accepts every login, or needs none, so this credential could not be verified. Verify "
        "it on an image that only this login can read."
    ),
    Code.NO_PULL_ACCESS: (
        "The login is right, but has no pull access to that repository. Grant the account or token read "
        "access, and check the repository's name."
    ),
    Code.NO_PUSH_ACCESS: (
        "The login is right and can pull from that repository, but not push. Grant the account or token "
        "write access, or remove push from the credential's scope."
    ),
}

PROVIDER_HELP: Mapping[str, Mapping[Code, str]] = {
    "dockerhub": {
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
    "gcr": {
        Code.BAD_CREDENTIAL: (
            "Google refused the key. Check under IAM, Service accounts that the key still exists and that "
            "neither it nor the account is disabled, or create a new JSON key. Access tokens expire after "
            "about an hour."
        ),
        Code.FORBIDDEN: (
            "The service account lacks access. Give it Artifact Registry Reader "
            "(roles/artifactregistry.reader) on the project, and check the location."
        ),
        Code.NO_PULL_ACCESS: (
            "Give the service account Artifact Registry Reader (roles/artifactregistry.reader) on the project"
            " that the image belongs to."
        ),
        Code.EXPIRED: (
            "A Google access token expires after about an hour. Use a service account's JSON key (kind "
            "keyfile) instead."
        ),
    },
    "gar": {
        Code.BAD_CREDENTIAL: (
            "Google refused the key. Check under IAM, Service accounts that the key still exists and that "
            "neither it nor the account is disabled, or create a new JSON key. Access tokens expire after "
            "about an hour."
        ),
        Code.FORBIDDEN: (
            "The service account lacks artifactregistry.repositories.downloadArtifacts. Give it Artifact "
            "Registry Reader on the repository or project, and check the location."
        ),
        Code.NO_PULL_ACCESS: (
            "Give the service account Artifact Registry Reader (roles/artifactregistry.reader) on the "
            "repository, and check its project and location."
        ),
        Code.EXPIRED: (
            "A Google access token expires after about an hour. Use a service account's JSON key (kind "
            "keyfile) instead."
        ),
    },
    "github": {
        Code.BAD_CREDENTIAL: (
            "GitHub denied the login: the token is wrong, expired or revoked. Use a personal access token "
            "(classic); fine-grained tokens and the account's password do not work with ghcr.io."
        ),
        Code.MISSING_SCOPE: (
            "The token lacks read:packages. Add the scope to the personal access token (classic) under "
            "Settings, Developer settings."
        ),
        Code.FORBIDDEN: (
            "GitHub denied access. Where the organization uses SAML single sign-on, authorize the token for "
            "it (Configure SSO, beside the token)."
        ),
        Code.NO_PULL_ACCESS: (
            "The token's owner may not read that package. Give the account Read under the package's settings,"
            " and authorize the token for the organization's single sign-on."
        ),
    },
    "gitlab": {
        Code.BAD_CREDENTIAL: (
            "GitLab refused the login. With two-factor authentication a token is needed in place of the "
            "password. Check that the token has not expired or been revoked, and that the host is that of the"
            " GitLab it comes from."
        ),
        Code.MISSING_SCOPE: "The token lacks read_registry. Create a token that has that scope.",
        Code.FORBIDDEN: (
            "GitLab refused this address or account, for example for an hour after too many failed logins. "
            "Wait, and check that the user is not blocked."
        ),
        Code.NOT_A_REGISTRY: (
            "Use the registry's host, which differs from the web site's, such as registry.example.com or "
            "gitlab.example.com:5050, and check that the container registry is switched on."
        ),
        Code.NO_PULL_ACCESS: (
            "The token may not read that project's registry. Use a token of that project or its group, or "
            "give the user the role Reporter."
        ),
    },
    "ecr": {
        Code.BAD_CREDENTIAL: (
            "Amazon refused the login. The username is AWS and the password the output of `aws ecr "
            "get-login-password` for the registry's own region, created less than 12 hours ago."
        ),
        Code.EXPIRED: (
            "An Amazon ECR password expires after 12 hours. Create a new one with `aws ecr "
            "get-login-password` and rotate, best from a scheduled job."
        ),
        Code.FORBIDDEN: (
            "The AWS identity lacks rights. Allow ecr:GetAuthorizationToken, ecr:BatchGetImage, "
            "ecr:GetDownloadUrlForLayer and ecr:BatchCheckLayerAvailability, and check the repository's "
            "policy."
        ),
        Code.NO_PULL_ACCESS: (
            "Allow ecr:BatchGetImage and ecr:GetDownloadUrlForLayer on that repository, in the identity's "
            "policy or, from another account, in the repository's too."
        ),
    },
    "acr": {
        Code.BAD_CREDENTIAL: (
            "Azure refused the login. Check that the client secret or token password has not expired, that "
            "the username is the client id (not the object id), and that the admin user is switched on if "
            "you use it."
        ),
        Code.FORBIDDEN: (
            "Azure blocks the login, most often by the registry's firewall. Allow this service's address "
            "under Networking."
        ),
        Code.NO_PULL_ACCESS: (
            "Give the principal AcrPull; in a registry with repository permissions (ABAC) Container Registry "
            "Repository Reader; for a token, add the repository to its scope map."
        ),
    },
    "quay": {
        Code.BAD_CREDENTIAL: (
            "Quay refused the login. Use the robot account's full name, such as acme+deploy, with its token;"
            " for a user the encrypted password of the account settings."
        ),
        Code.NO_PULL_ACCESS: "Give the robot account Read on that repository.",
    },
    "harbor": {
        Code.BAD_CREDENTIAL: (
            "Harbor refused the login. Use the robot account's full name with its prefix and project, such "
            "as robot$acme+deploy, and check that it is neither expired nor disabled. OIDC users use their "
            "CLI secret."
        ),
        Code.NO_PULL_ACCESS: "Give the robot account Pull repository on that project.",
    },
    "gitea": {
        Code.BAD_CREDENTIAL: (
            "The login was refused. With two-factor authentication an access token is needed in place of the "
            "password. Check that the token still exists."
        ),
        Code.MISSING_SCOPE: "The token lacks read:package. Create a new one under Settings, Applications.",
        Code.NO_PULL_ACCESS: "The token needs read:package and its owner read access to the package's owner.",
    },
    "digitalocean": {
        Code.BAD_CREDENTIAL: (
            "DigitalOcean refused the login. Use the account's email address and an API token that has not "
            "expired."
        ),
        Code.MISSING_SCOPE: "The API token lacks registry:read. Create one with that scope.",
        Code.NO_PULL_ACCESS: "The API token needs registry:read, in the team that the registry belongs to.",
    },
}
