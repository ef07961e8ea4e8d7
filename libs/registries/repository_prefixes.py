"""Which repositories a credential is for: those that its prefixes cover, by complete segments of the path."""

_ENDS = frozenset({"", "/"})  # what may follow a complete segment


def covering_prefix(prefixes: tuple[str, ...], repository: str) -> str | None:
    """The longest prefix that covers the repository (`acme` covers `acme` and `acme/shop`, not `acme2`).

    It is returned without a final slash. The result is empty if there are no prefixes, and `None` if none
    covers the repository.
    """
    if not prefixes:
        return ""
    longest = None
    for prefix in prefixes:
        stripped = prefix.rstrip("/")
        if not repository.startswith(stripped) or repository[len(stripped) : len(stripped) + 1] not in _ENDS:
            continue
        if longest is None or len(stripped) > len(longest):
            longest = stripped
    return longest
