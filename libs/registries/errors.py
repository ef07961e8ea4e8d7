"""What cannot be accepted about a registry.

ValueError
├── InvalidHost          a text is no registry host
├── InvalidReference     a text is no image reference; `pointer` says where it stands
└── InvalidRegistry      a value of a request does not fit its provider; `pointer` says which one

Details never repeat the text that was given: people paste passwords and tokens into the wrong field.
"""


class InvalidHost(ValueError):
    """`code` is stable (`invalid_host`, `path_not_allowed`, `pattern_not_allowed`)."""

    def __init__(self, detail: str, code: str = "invalid_host") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class InvalidReference(ValueError):
    """`pointer` is the JSON pointer (RFC 6901) into the request; `code` is stable.

    Codes: `invalid_reference`, `scheme_not_allowed`, `image_id`, `uppercase`, `invalid_repository`,
    `invalid_tag`, `invalid_digest`, and those of `InvalidHost`.
    """

    def __init__(self, code: str, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.pointer = pointer


class InvalidRegistry(ValueError):
    """`pointer` is the JSON pointer (RFC 6901) into the body of add; `code` is stable.

    Codes: `required`, `not_allowed`, `unknown_provider`, `unknown_location`, `host_mismatch`,
    `http_not_allowed`, `invalid_username`, `secret_in_username`, and those of `InvalidHost`.
    """

    def __init__(self, pointer: str, code: str, detail: str) -> None:
        super().__init__(f"{pointer}: {detail}")
        self.pointer = pointer
        self.code = code
        self.detail = detail
