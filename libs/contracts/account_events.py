"""What is done to an account as a whole. Written by operators (`regcred accounts`), each deed as a stream of
its own.
"""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from eventlog.events import event


@event("account.erased", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class AccountErased:
    """The personal data of an account was erased: in its earlier events it reads `erased` from now on.

    This event is not sealed: who erased, and why, stays to be read.
    """

    erasure_id: Annotated[UUID, Meta(description="This one erasure; the id of its stream.")]
    reason: Annotated[str, Meta(max_length=500, description="What the operator gave as reason.")] | None
