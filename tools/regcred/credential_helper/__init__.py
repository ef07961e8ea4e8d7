"""`docker-credential-regcred`: the credential helper that Docker, Podman, Buildah and Skopeo start."""
