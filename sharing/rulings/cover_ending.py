"""The end of an answer that covers later Asks: what an officer signs for that."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sharing.model.indicator_record import UUID_PATTERN
from sharing.model.strict_model import StrictModel
from sharing.trust.documents import StateCode


class EndingCover(StrictModel):
    """The officer ends an earlier answer for later Asks. What it has answered stays answered.

    Attributes:
        does: Always `end_cover`.
        cover: Digest of the ruling that covers: what identifies it in the acts.
        provider: The State that provides the items that it is about.
        item: Id of an item that it names: key of the records that say that it has ended.
    """

    does: Literal["end_cover"] = "end_cover"
    cover: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    provider: StateCode
    item: Annotated[str, Field(pattern=f"^{UUID_PATTERN}$")]
