"""A gate's commitments to the contents of its decisions, one for each decision, in the block that the decision is in.

If the item has a draft, the salt belongs to the key of the draft: deleting the draft deletes the salt. Otherwise it is
derived from the secret of the day and from random bytes of the block. So the salt of one item can be shown without
revealing anything about any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from sharing.audit.origins import format_origin
from sharing.sign.content_commitment import NONCE_BYTES, compute_commitments, derive_salts

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretBytes

    from processors.exactly_once.overlay import Overlay
    from processors.gate.batch_result import DecidedContents
    from processors.sealing.day_secrets import DaySecrets
    from sharing.audit.block import Commit, LogPlace
    from sharing.trust.public_keys import KeyId


class BatchCommitments:
    """Commits to what is decided in one batch. Its `repr` shows none of it.

    Args:
        secrets: The secrets of days.
        view: The batch's view of the state store.
        now_ms: The time of the batch, in UTC milliseconds.
        keys: The keys of the batch: the wrapping key in force, and its id.
        random: Returns this many random bytes: `secrets.token_bytes`.
    """

    def __init__(
        self,
        secrets: DaySecrets,
        view: Overlay,
        now_ms: int,
        keys: tuple[KeyId, SecretBytes],
        random: Callable[[int], bytes],
    ) -> None:
        self._secrets = secrets
        self._view = view
        self._now_ms = now_ms
        self._key_id, self._wrapping_key = keys
        self._random = random

    def commit_part(self, contents: Mapping[int, DecidedContents], draft_salts: Mapping[int, bytes]) -> Commit:
        """Return what commits to a part of the batch, block by block.

        Args:
            contents: What was decided on, by partition.
            draft_salts: The salt that belongs to the key of a record's draft, by the record's position.
        """
        return partial(self._commit, contents, draft_salts)

    def _commit(
        self,
        contents: Mapping[int, DecidedContents],
        draft_salts: Mapping[int, bytes],
        place: LogPlace,
        start: int,
        stop: int,
    ) -> tuple[bytes, Sequence[bytes]]:
        """Return the random bytes of a block, and the commitment of each decision in it.

        Args:
            contents: What was decided on, by partition.
            draft_salts: The salts of drafts, by position.
            place: The log.
            start: The first of the partition's decisions in this part of the batch that is in the block.
            stop: The position after the last one.
        """
        decided = contents[place.partition]
        nonce = self._random(NONCE_BYTES)
        secret = self._secrets.get(self._view, place, self._now_ms, self._key_id, self._wrapping_key)
        salts = derive_salts(secret, nonce, format_origin(place), stop - start)
        if draft_salts:
            positions = decided.positions[start:stop]
            salts = [draft_salts.get(position, salt) for position, salt in zip(positions, salts, strict=True)]
        return nonce, compute_commitments(salts, decided.contents[start:stop])

    def __repr__(self) -> str:
        return "BatchCommitments()"
