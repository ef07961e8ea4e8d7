"""Creates the files of a deployment in containers before each start (docs/deployment.md)."""
