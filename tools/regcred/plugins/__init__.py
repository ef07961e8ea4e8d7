"""Settings, API calls and errors that the plugins of Docker and of the kubelet share."""
