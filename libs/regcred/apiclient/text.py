"""Values as text for users."""


def shown(value: object, *, lines: bool = False) -> str:
    """Format a value: `-` for none, commas between the items of a list. With `lines`, line breaks stay.

    Data from registries and users can contain control characters. They are replaced.
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
