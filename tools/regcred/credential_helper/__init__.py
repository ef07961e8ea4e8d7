"""`docker-credential-regcred`: the credential helper of Docker, Podman, Buildah and Skopeo."""
