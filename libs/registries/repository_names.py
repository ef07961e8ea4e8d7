"""The form of a repository's name (distribution/reference, `path`)."""

# path-component := alpha-numeric [separator alpha-numeric]*
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REPOSITORY_NAME = rf"{_COMPONENT}(?:/{_COMPONENT})*"  # a regular expression
