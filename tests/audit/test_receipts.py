"""A decision that was dropped contradicts what a recipient has recorded."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.audit.receipts import Receipt, find_missing_roots, find_receipt
from sharing.rulings.act import Act, ActKind
from tests.rulings.ruling_fixtures import make_id

ROOT, OTHER, ITEM = bytes(range(32)), bytes(32), make_id(1)


def make_act(kind: ActKind, **parts: Any) -> dict[str, Any]:
    return Act(kind, ITEM, "CH", parts.pop("state", "DE"), 1_800_000_000_000, **parts).to_record()


def test_what_came_into_an_inbox_names_the_batch_of_its_sender() -> None:
    act = make_act(ActKind.PUT_IN_INBOX, root=ROOT)
    assert find_receipt(act) == Receipt(ROOT, "CH", "DE", ITEM)
    assert find_receipt(make_act(ActKind.PUT_IN_INBOX)) is None


def test_a_receipt_names_a_batch_of_ones_own() -> None:
    act = make_act(ActKind.RECEIPT_RECORDED, state="CH", states=("DE",), ask=make_id(2), root=ROOT)
    assert find_receipt(act) == Receipt(ROOT, "CH", "DE", ITEM)


@pytest.mark.parametrize("kind", [ActKind.NOTICE_SENT, ActKind.BLOCKED])
def test_other_acts_are_no_receipts(kind: ActKind) -> None:
    assert find_receipt(make_act(kind, root=ROOT)) is None


def test_a_root_that_no_block_names_is_found() -> None:
    receipts = [Receipt(ROOT, "CH", "DE", ITEM), Receipt(OTHER, "CH", "FR", ITEM)]
    assert find_missing_roots({ROOT, OTHER}, receipts, "CH") == []
    assert find_missing_roots({OTHER}, receipts, "CH") == receipts[:1]
    assert find_missing_roots(set(), receipts, "JP") == []
