"""What one batch knows about the covers of a partition."""

from __future__ import annotations

from dataclasses import dataclass, field

from sharing.conversation_state.covers import Covers
from sharing.rulings.signing import VerifiedRuling


@dataclass(slots=True)
class PartitionCovers:
    """The covers of one partition, during one batch.

    Attributes:
        kept: What is stored.
        verified: The rulings that were verified again in this batch, by their digest; None if verification failed.
    """

    kept: Covers
    verified: dict[str, VerifiedRuling | None] = field(default_factory=dict)
