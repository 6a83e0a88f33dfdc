"""Compares what other States say they have received with what a State's own log names."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from sharing.audit.block import AuditBlock, LogPlace
from sharing.audit.findings import AuditFault, AuditFinding
from sharing.audit.receipts import Receipt, find_missing_roots, find_receipt
from sharing.errors import DecodeError
from sharing.model.vocabulary import AuditLogName
from sharing.serialization.avro_primitives import encode_string
from sharing.serialization.codec import HEADER_LENGTH, get_codec

_RECEIPT: Final = encode_string("RECEIPT_RECORDED")
_ACT_HEADER: Final = get_codec("act").header


@dataclass(slots=True)
class _UnreadableActs:
    """The acts of one log that cannot be decoded.

    Attributes:
        offset: Offset of the block that has the first one.
        block: Number of that block.
        count: How many there are.
    """

    offset: int
    block: int
    count: int = 0


class ReceiptBook:
    """Compares the batches that other States say they have received with those that the State's blocks name.

    Args:
        state: The State.
    """

    def __init__(self, state: str) -> None:
        self._state = state
        self._roots: set[bytes] = set()
        self._receipts: list[tuple[LogPlace, int, int, Receipt]] = []
        self._unreadable: dict[LogPlace, _UnreadableActs] = {}

    def observe(self, offset: int, block: AuditBlock) -> None:
        """Examine a block of one of the State's logs."""
        self._roots.update(block.message_roots)
        if block.log is not AuditLogName.ACTS:
            return
        place = LogPlace(block.state, block.log, block.partition)
        for entry in block.entries:
            if entry.startswith(_ACT_HEADER) and not entry.startswith(_RECEIPT, HEADER_LENGTH):
                continue
            try:
                receipt = find_receipt(get_codec("act").decode(entry))
            except DecodeError:  # such as one of a newer release: it is not known whether it is a receipt
                self._unreadable.setdefault(place, _UnreadableActs(offset, block.number)).count += 1
                continue
            if receipt is not None:
                self._receipts.append((place, offset, block.number, receipt))

    def list_findings(self) -> dict[LogPlace, list[AuditFinding]]:
        """Return the receipts of batches that no block names, and how many acts could not be read, by log."""
        missing = set(find_missing_roots(self._roots, [receipt for *_, receipt in self._receipts], self._state))
        found: defaultdict[LogPlace, list[AuditFinding]] = defaultdict(list)
        for place, offset, number, receipt in self._receipts:
            if receipt in missing:
                sentence = (
                    f"{receipt.recipient} has received a message about {receipt.item} in a batch that no block of "
                    f"{self._state} names: what the batch decided or did is missing"
                )
                finding = AuditFinding(
                    AuditFault.RECEIPT_CONTRADICTS,
                    place,
                    in_checkpoints=False,
                    offset=offset,
                    block=number,
                    sentence=sentence,
                )
                found[place].append(finding)
        for place, unreadable in self._unreadable.items():
            acts = "1 act" if unreadable.count == 1 else f"{unreadable.count} acts"
            sentence = (
                f"{acts} cannot be read, the first in block {unreadable.block}: what they say that other States have "
                "received is not compared; verify the log with the release that the worker runs"
            )
            finding = AuditFinding(
                AuditFault.UNREADABLE,
                place,
                in_checkpoints=False,
                offset=unreadable.offset,
                block=unreadable.block,
                sentence=sentence,
            )
            found[place].append(finding)
        return found
