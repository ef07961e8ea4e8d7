"""What to do about the outcome of a verification: for every code in general, and where a provider differs.

What providers answer to a bad or weak credential was read in their documentation, sources and issue threads;
the texts say what helps there most often.
"""

from collections.abc import Mapping

from shared.contracts.verdicts import VerificationCode as Code

GENERAL_HELP: Mapping[Code, str] = {
    Code.BAD_CREDENTIAL: (
        "The registry refused the user name or the secret. Check both, create a new token if in doubt, "
        "and rotate the secret of this credential."
    ),
    Code.MISSING_SCOPE: (
        "The login is right, but the token lacks the permission to read images. Create a token with the "
        "least permission named for this provider, and rotate."
    ),
    Code.FORBIDDEN: (
        "The registry knows the login but lets it in no further. Look for an IP allow-list, a firewall or"
        " a policy that blocks this service, or for a disabled account."
    ),
    Code.EXPIRED: "The secret has expired. Create a new one and rotate the secret of this credential.",
    Code.RATE_LIMITED: (
        "The registry asks for fewer requests. Nothing is known of the credential; it will be tried again"
        " later."
    ),
    Code.UNREACHABLE: (
        "The registry did not answer. Check its name and port, and that it can be reached from this "
        "service; it will be tried again. One in a private network has to be allowed by an operator with "
        "REGCRED_VERIFIER_ALLOW."
    ),
    Code.TLS_ERROR: (
        "The registry's certificate is not trusted, has expired or is for another name. Renew it, or "
        "serve it with its full chain from a public authority."
    ),
    Code.BLOCKED_HOST: (
        "The registry, or the token server it names, has an address that this service may not speak to. "
        "An operator can allow it with REGCRED_VERIFIER_ALLOW."
    ),
    Code.NOT_A_REGISTRY: (
        "What answers there is no container registry. Give the registry's own host, which is often not "
        "that of its web site, and its port."
    ),
    Code.BAD_CHALLENGE: (
        "The registry does not say in a usable way how to log in to it. Check the token server's address "
        "and service name in its configuration."
    ),
    Code.UNVERIFIABLE: (
        "The registry takes every login, or none is needed, so nothing was proved. Verify the credential "
        "with an image that only this login may read: that proves it."
    ),
    Code.NO_PULL_ACCESS: (
        "The login is right, but it may not pull that repository. Give the account or token read access "
        "to it, and check the repository's name."
    ),
    Code.NO_PUSH_ACCESS: (
        "The login is right and may pull, but not push to that repository. Give the account or token write "
        "access to it, or take push out of the credential's scope."
    ),
}

PROVIDER_HELP: Mapping[str, Mapping[Code, str]] = {
    "dockerhub": {
        Code.BAD_CREDENTIAL: (
            "Docker Hub refused the login. Give the Docker ID, not the e-mail address, and an access token: "
            "passwords are refused for accounts with two-factor or single sign-on. The user name of an "
            "organization access token is the organization's name."
        ),
        Code.RATE_LIMITED: (
            "Docker Hub locked the login for some 15 minutes after failed attempts, or limits this address. "
            "It will be tried again later; correct the secret meanwhile if it is wrong."
        ),
        Code.NO_PULL_ACCESS: (
            'The token may not pull that repository. A token with "Public Repo Read-only" cannot pull private'
            ' images: create one with "Read-only", or add the repository to the organization access token.'
        ),
    },
    "gcr": {
        Code.BAD_CREDENTIAL: (
            "Google refused the key. Check under IAM, Service accounts that the key still exists and that "
            "neither it nor the account is disabled, or create a new JSON key. Access tokens end after about "
            "an hour."
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
            "A Google access token ends after about an hour. Use a service account's JSON key (kind keyfile) "
            "instead."
        ),
    },
    "gar": {
        Code.BAD_CREDENTIAL: (
            "Google refused the key. Check under IAM, Service accounts that the key still exists and that "
            "neither it nor the account is disabled, or create a new JSON key. Access tokens end after about "
            "an hour."
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
            "A Google access token ends after about an hour. Use a service account's JSON key (kind keyfile) "
            "instead."
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
            "Give the registry's host, which differs from the web site's, such as registry.example.com or "
            "gitlab.example.com:5050, and check that the container registry is switched on."
        ),
        Code.NO_PULL_ACCESS: (
            "The token may not read that project's registry. Use a token of that project or its group, or "
            "give the user the role Reporter."
        ),
    },
    "ecr": {
        Code.BAD_CREDENTIAL: (
            "Amazon refused the login. The user name is AWS and the password the output of `aws ecr "
            "get-login-password` for the registry's own region, made less than 12 hours ago."
        ),
        Code.EXPIRED: (
            "An Amazon ECR password ends after 12 hours. Take a new one with `aws ecr get-login-password` and"
            " rotate; have a scheduled job do it."
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
            "the user name is the client id (not the object id), and that the admin user is switched on if "
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
            "Quay refused the login. Give the robot account's full name, such as acme+deploy, with its token;"
            " for a user the encrypted password of the account settings."
        ),
        Code.NO_PULL_ACCESS: "Give the robot account Read on that repository.",
    },
    "harbor": {
        Code.BAD_CREDENTIAL: (
            "Harbor refused the login. Give the robot account's full name with its prefix and project, such "
            "as robot$acme+deploy, and check that it is neither expired nor disabled. OIDC users give their "
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
            "DigitalOcean refused the login. Give the account's e-mail address and an API token that has not "
            "expired."
        ),
        Code.MISSING_SCOPE: "The API token lacks registry:read. Create one with that scope.",
        Code.NO_PULL_ACCESS: "The API token needs registry:read, in the team that the registry belongs to.",
    },
}
