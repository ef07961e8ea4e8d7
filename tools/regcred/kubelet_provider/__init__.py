"""`regcred-kubelet-credential-provider`: the image credential provider for the kubelet."""
