"""What the plugins of Docker and of the kubelet have in common: for whom they ask, and how they fail."""
