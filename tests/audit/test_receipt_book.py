"""A receipt of another State for a batch that no block names: something was dropped from the log."""

from __future__ import annotations

import pytest

from sharing.audit.block import AuditBlock, LogPlace, add_blocks
from sharing.audit.findings import AuditFault
from sharing.audit.log_head import EMPTY_LOG
from sharing.audit.receipt_book import ReceiptBook
from sharing.model.vocabulary import AuditLogName
from tests.audit.audit_fixtures import PLACE, make_act, make_entry, make_later_act
from tests.trust.trust_fixtures import NOW

ACTS = LogPlace("CH", AuditLogName.ACTS, 4)
ROOT, OTHER = b"r" * 32, b"o" * 32


def make_block(place: LogPlace, entries: list[bytes], *roots: bytes) -> AuditBlock:
    ((block, _),) = add_blocks(EMPTY_LOG, place, entries, roots, NOW)
    return block


@pytest.mark.parametrize("place", [PLACE, ACTS])
def test_a_receipt_for_a_batch_that_is_named_is_no_contradiction(place: LogPlace) -> None:
    book = ReceiptBook("CH")
    book.observe(5, make_block(ACTS, [make_act(1, ROOT), make_act(2)]))
    entry = make_entry(1) if place is PLACE else make_act(3)
    book.observe(7, make_block(place, [entry], OTHER, ROOT))
    assert book.list_findings() == {}


def test_a_receipt_for_a_batch_that_is_not_named_contradicts() -> None:
    book = ReceiptBook("CH")
    book.observe(7, make_block(PLACE, [make_entry(1)], OTHER))
    book.observe(5, make_block(ACTS, [make_act(1, ROOT), make_act(2, OTHER)]))
    ((place, findings),) = book.list_findings().items()
    assert place == ACTS
    ((finding),) = findings
    assert (finding.fault, finding.offset, finding.block) == (AuditFault.RECEIPT_CONTRADICTS, 5, 0)
    assert "DE has received a message about 018f3c1e-7b1a-7c3d-8e2f-000000000001" in finding.sentence


def test_receipts_of_another_states_messages_do_not_count() -> None:
    book = ReceiptBook("DE")
    book.observe(5, make_block(ACTS, [make_act(1, ROOT)]))
    assert book.list_findings() == {}


def test_receipts_of_a_newer_release_are_counted_and_named() -> None:
    book = ReceiptBook("CH")
    book.observe(5, make_block(ACTS, [make_act(1, ROOT), make_later_act(2, OTHER)]))
    book.observe(7, make_block(ACTS, [make_later_act(3, OTHER), make_act(4, ROOT) + b"\x00"], ROOT))
    book.observe(9, make_block(PLACE, [make_entry(1)]))
    ((place, findings),) = book.list_findings().items()
    assert place == ACTS
    ((finding),) = findings
    assert (finding.fault, finding.offset, finding.block) == (AuditFault.UNREADABLE, 5, 0)
    assert finding.sentence.startswith("3 acts cannot be read, the first in block 0: ")
