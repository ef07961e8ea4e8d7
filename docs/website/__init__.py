"""The documentation site: `python -m docs.website build/docs` (`make docs`)."""
