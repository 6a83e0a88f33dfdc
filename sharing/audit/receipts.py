"""What other States say about where their messages came from: a decision that was dropped contradicts a receipt.

Each message is in a batch whose root its sender has signed, and the block of the sender's log that was written with the
batch names that root. A recipient records the root in its own log (PUT_IN_INBOX), which other States witness, and names
it in its receipt, which the sender records (RECEIPT_RECORDED). A root that no block of the sender names was signed for
messages whose decisions or acts are no longer in its log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple


class Receipt(NamedTuple):
    """A recipient's statement that a message came under a root.

    Attributes:
        root: The root.
        sender: The State that has signed it.
        recipient: The State that says so.
        item: Id of the item.
    """

    root: bytes
    sender: str
    recipient: str
    item: str


def find_receipt(act: Mapping[str, Any]) -> Receipt | None:
    """Return the receipt in a decoded act; None if there is none."""
    root = act["root"]
    if root is None:
        return None
    if act["kind"] == "RECEIPT_RECORDED" and len(act["states"]) == 1:
        return Receipt(root, act["state"], act["states"][0], act["item_id"])
    if act["kind"] == "PUT_IN_INBOX":
        return Receipt(root, act["provider"], act["state"], act["item_id"])
    return None


def find_missing_roots(roots: Collection[bytes], receipts: Iterable[Receipt], sender: str) -> list[Receipt]:
    """Return the receipts whose roots are in no block of the State that has signed them.

    Args:
        roots: `message_roots` of all blocks of the State's logs, decisions and acts.
        receipts: What recipients say.
        sender: The State.
    """
    return [receipt for receipt in receipts if receipt.sender == sender and receipt.root not in roots]
