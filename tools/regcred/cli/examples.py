"""The examples of a command's help text."""


def examples(*lines: str, title: str = "Examples:") -> str:
    r"""An epilog that stays as it is written; `\b` keeps click from filling it."""
    return "\n".join(("\b", title, *(f"  {line}" for line in lines)))
