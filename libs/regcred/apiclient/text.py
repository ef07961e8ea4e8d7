"""Values as text for people."""


def shown(value: object, *, lines: bool = False) -> str:
    """A value for people: `-` for none, lists with commas; `lines` lets line breaks stand.

    What registries and people wrote into the data is shown without its control characters.
    """
    if value is None or value in ("", [], ()):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(shown(item) for item in value)
    return "".join(
        character if character.isprintable() or (lines and character == "\n") else "\ufffd"
        for character in str(value)
    )
