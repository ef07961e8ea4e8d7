"""Which repositories a credential is for: those that its prefixes cover, by whole segments of the path."""


def covering_prefix(prefixes: tuple[str, ...], repository: str) -> str | None:
    """The longest prefix that covers the repository (`acme` covers `acme` and `acme/shop`, not `acme2`),
    without a slash at its end; empty where there are no prefixes, `None` where none covers it.
    """
    if not prefixes:
        return ""
    longest = None
    for prefix in prefixes:
        stripped = prefix.rstrip("/")
        covers = repository.startswith(stripped) and repository[len(stripped) :][:1] in {"", "/"}
        if covers and (longest is None or len(stripped) > len(longest)):
            longest = stripped
    return longest
