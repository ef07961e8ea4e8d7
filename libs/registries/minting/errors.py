"""Exception
└── NotMinted      a cloud gave no login for the keys that are kept

Details are sentences of our own: they hold nothing that a cloud sent.
"""

from contracts.verdicts import VerificationCode

# The cloud looked at the keys and said no. Every other code says that it could not be asked.
REFUSALS = frozenset(
    {
        VerificationCode.BAD_CREDENTIAL,
        VerificationCode.EXPIRED,
        VerificationCode.MISSING_SCOPE,
        VerificationCode.FORBIDDEN,
    }
)


class NotMinted(Exception):
    """`code` is what a verification of these keys ends with; `retry_after` is in seconds."""

    def __init__(self, code: VerificationCode, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retry_after = retry_after

    @property
    def refused(self) -> bool:
        """Whether asking again is no use."""
        return self.code in REFUSALS
