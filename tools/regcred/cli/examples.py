"""Examples in the help text of a command."""


def examples(*lines: str, title: str = "Examples:") -> str:
    r"""Return an epilog with `lines` unchanged; `\b` stops click from rewrapping them."""
    return "\n".join(("\b", title, *(f"  {line}" for line in lines)))
