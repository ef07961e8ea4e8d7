"""`regcred-kubelet-credential-provider`: the image credential provider that the kubelet starts."""
