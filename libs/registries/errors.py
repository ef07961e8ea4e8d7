"""Errors in values of a request that concern a registry.

ValueError
├── InvalidHost          a text is not a registry host
├── InvalidPrefix        a text is not a repository prefix of the credential's registry
├── InvalidReference     a text is not an image reference
└── InvalidRegistry      a value does not fit the provider

Details never contain the invalid text, because users sometimes paste passwords and tokens into the wrong
field.
"""


class InvalidHost(ValueError):
    """A text is not a registry host.

    `code` is stable: `invalid_host`, `path_not_allowed`, `pattern_not_allowed` or `not_a_registry`.
    """

    def __init__(self, detail: str, code: str = "invalid_host") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class InvalidPrefix(ValueError):
    """A text is not a repository prefix of the credential's registry.

    `code` is stable: `invalid_prefix`, `other_registry` or `whole_registry`.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


class InvalidReference(ValueError):
    """A text is not an image reference. `pointer` is a JSON pointer (RFC 6901) into the request.

    `code` is stable: `invalid_reference`, `scheme_not_allowed`, `image_id`, `uppercase`,
    `invalid_repository`, `invalid_tag`, `invalid_digest`, and those of `InvalidHost`.
    """

    def __init__(self, code: str, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.pointer = pointer


class InvalidRegistry(ValueError):
    """A value does not fit its provider. `pointer` is a JSON pointer (RFC 6901) into the request.

    `code` is stable: `required`, `not_allowed`, `unknown_provider`, `unknown_location`, `host_mismatch`,
    `http_not_allowed`, `invalid_username`, `secret_in_username`, and those of `InvalidHost`.
    """

    def __init__(self, pointer: str, code: str, detail: str) -> None:
        super().__init__(f"{pointer}: {detail}")
        self.pointer = pointer
        self.code = code
        self.detail = detail
