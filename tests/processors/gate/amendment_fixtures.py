"""Amendments as the gate's conversation writes them, and a gate that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from processors.exactly_once.overlay import Overlay
from processors.exactly_once.state_store_backends import MemoryStore
from processors.gate.batch_result import BatchResult
from processors.gate.gate import Gate, is_conserved
from processors.gate.input_records import AmendmentSource, InputRecords
from processors.gate.item_versions import ItemVersions
from sharing.conversation.revision import Revision
from sharing.disclosure.amended_item import AmendedItem
from sharing.law.pack import Pack
from sharing.model.vocabulary import AmendmentKind
from sharing.packs.library import load_shipped_treaties
from sharing.serialization.codec import get_codec
from tests.processors.gate.gate_fixtures import DIRECTORY, LAW, NOW_MS, Message, make_message, make_pack

AMENDMENTS_TOPIC = "national.ch.amendments"
SOURCE = AmendmentSource(AMENDMENTS_TOPIC, lambda value, _: value)
"""Amendments that are not sealed."""

PARTITION = 3

ASKING_LAW = make_pack("""\
state: CH
version: 2026.1
title: A pack under which facts are missing
disclaimer: None of this is law.
consolidated_at: 2026-01-01
maintainers: []
treaty_preference: [BUDAPEST, UNCAC]
approvers: {JUDGE: A judge}
assessments:
  - {states: [DE, FR, IE, US], date: 2026-01-01, source: invented,
     facts: {mistreatment_risk: false, persecution_risk: false}}
rules:
  - {id: ch.permit, citation: art. 1, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     nature: statute, when: {form: [INFORMATION, EXISTENCE]}, effect: PERMIT}
  - {id: ch.condition, citation: art. 2, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     nature: statute, when: {offence.codes: LAUNDERING}, effect: CONDITION,
     needs: {condition: {kind: PURPOSE, text: Only so.}}}
  - {id: ch.emergency, citation: art. 3, paraphrase: p, source: K, verified: false, valid: {from: 2020-01-01},
     nature: statute, when: {form: EVIDENCE, urgency: EMERGENCY}, effect: PERMIT}
""")
"""Without a form, people are asked for it; about evidence whether it is an emergency, if it can be one."""


def amend_message(
    amendment: int,
    *,
    number: int = 1,
    kind: AmendmentKind = AmendmentKind.CORRECTION,
    is_corrected: bool = True,
    wrapper: dict[str, Any] | None = None,
    offset: int = 500,
    **changes: Any,
) -> Message:
    """Return the record of an amendment.

    Args:
        amendment: Its number.
        number: Number of the item.
        kind: What it does.
        is_corrected: What it says of the content.
        wrapper: What it says else than the item in it.
        offset: Offset of the record.
        changes: Changes to the item's form. A withdrawal is of the version that they name.
    """
    version = changes.pop("version", 1)
    if changes.get("action", "PUBLISH") != "PUBLISH":
        changes["version"] = max(version, 2)  # what an agency could publish; the record is changed below
    elif version > 1:
        changes["version"] = version
    content = get_codec("indicator").decode(make_message(number, **changes).data)
    content["version"] = version
    item = AmendedItem(
        content["id"], content["source"]["agency"], Revision(version, amendment), kind, is_corrected, "o-9",
        f"r-{amendment}", get_codec("indicator").encode(content),
    )  # fmt: skip
    value = get_codec("amendment").encode({**item.to_record(), **(wrapper or {})})
    return Message(value, content["id"].encode(), offset, topic_name=AMENDMENTS_TOPIC)


def withdraw_message(amendment: int, **changes: Any) -> Message:
    """Return the record of an officer's withdrawal."""
    return amend_message(
        amendment, kind=AmendmentKind.WITHDRAWAL, is_corrected=False, action="WITHDRAW", reason="r", **changes
    )


class ConversingWorker:
    """A gate with a conversation and a state store in memory.

    Args:
        columnar_min: Smallest batch for the columnar path.
        law: The law.
        options: Of the gate.
    """

    def __init__(self, columnar_min: int, law: Pack = LAW, **options: Any) -> None:
        self.gate = Gate(
            law, load_shipped_treaties(), columnar_min=columnar_min, **{"has_conversation": True, **options}
        )
        self.stores = {PARTITION: MemoryStore()}
        self.changes: dict[int, dict[bytes, bytes | None]] = {}

    def process(self, *messages: Message, source: AmendmentSource = SOURCE) -> BatchResult:
        """Return the result of a batch after all earlier ones."""
        return self.process_batch(messages, source)

    def process_batch(self, messages: Sequence[Message], source: AmendmentSource = SOURCE) -> BatchResult:
        """Return the result of a batch after all earlier ones, after checking that it is conserved."""
        overlay = Overlay(self.stores)
        records = InputRecords.read(messages, amendment_source=source)
        versions = ItemVersions(records, overlay)
        result = BatchResult.join(self.gate.process_parts(records, DIRECTORY, NOW_MS, versions))
        assert is_conserved(messages, result)
        self.changes = {number: dict(changes) for number, changes in overlay.changes.items()}
        for partition, changes in overlay.changes.items():
            self.stores[partition].apply_changes(changes.items(), None)  # type: ignore[arg-type]
        return result
