"""The keys with which a batch of checkpoints is witnessed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sharing.trust.key_statement import TrustedKeys
    from sharing.trust.signatures import SigningKey


@dataclass(frozen=True, slots=True)
class WitnessKeys:
    """The keys of a batch.

    Attributes:
        trusted: The verified online keys of each State.
        signing: The State's gate key.
        reachable: The States to which something can be sent.
    """

    trusted: Mapping[str, TrustedKeys]
    signing: SigningKey
    reachable: Collection[str]
