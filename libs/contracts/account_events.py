"""Events of an account as a whole. Operators write them (`regcred accounts`), each in a stream of its own."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from eventlog.events import event


@event("account.erased", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class AccountErased:
    """The personal data of an account was erased. In its earlier events it reads `erased` from now on.

    This event is not encrypted: the operator and the reason remain readable.
    """

    erasure_id: Annotated[UUID, Meta(description="The erasure; the id of its stream.")]
    reason: Annotated[str, Meta(max_length=500, description="The reason that the operator gave.")] | None
