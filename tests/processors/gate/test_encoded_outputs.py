"""Outputs joined from heads and tails equal outputs encoded as a whole."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from processors.gate.gate import Gate
from sharing.ids import ID_NAMESPACE
from sharing.law.decision_context import DecisionContext
from sharing.law.redaction import build_content
from sharing.model.decision import Decision, Verdict
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import Outcome
from sharing.packs.library import load_shipped_treaties
from sharing.serialization.codec import get_codec
from tests.processors.gate.gate_fixtures import (
    DAY_MS,
    DIRECTORY,
    HYPOTHESIS_SETTINGS,
    LAW,
    NOW_MS,
    VALID_CHANGES,
    Message,
    make_message,
)


def make_uuid(name: str) -> str:
    return str(uuid.uuid5(uuid.UUID(str(ID_NAMESPACE)), name))


def encode_expected_outputs(message: Message, record: dict[str, Any], verdict: Verdict) -> dict[str, list[bytes]]:
    """Return the expected outputs by topic. Each record is encoded as a whole, which is slow."""
    reference = LAW.reference
    decision = Decision(
        record["id"], record["version"], NOW_MS, "CH", reference, DIRECTORY.get_version(NOW_MS), verdict.recipients
    )
    outputs: dict[str, list[bytes]] = {"national.ch.decisions": [get_codec("decision").encode(decision.to_record())]}
    drafted = []
    is_urgent = record["urgency"] == "URGENT"  # there is no emergency among the changes
    for recipient in verdict.recipients:
        fields = {**asdict(recipient.terms), "obligation": recipient.is_obligatory, "state": recipient.state}
        fields["relevance"] = [asdict(reason) for reason in recipient.relevance]
        legal = {name: fields[name] for name in ("basis", "condition_model", "rules", "conditions", "obligation")}
        terms = {
            **legal, "from_state": "CH", "to_state": recipient.state, "urgency": record["urgency"],
            "form": record["form"], "pack": asdict(reference),
            "relevance": sorted({str(reason.kind) for reason in recipient.relevance}),
            "indicator_id": record["id"], "version": record["version"], "sent_at": NOW_MS, "amendment": 0,
        }  # fmt: skip
        item = f"/CH/{record['source']['agency']}/{record['id']}"
        item_id = make_uuid("item" + item)
        name = f"{item}/{record['version']}/{recipient.state}"
        if recipient.outcome is Outcome.DISCLOSE:
            content = {**build_content(record, recipient.redacted), "relevance": fields["relevance"]}
            notice = {
                **terms, "id": make_uuid("notice" + name), "item_id": item_id,
                "kind": "ITEM" if record["action"] == "PUBLISH" else "CORRECTION", "to_authority": "POLICE",
                "redacted": recipient.redacted, "review_at": record["review_at"],
                "retain_until": record["retain_until"], "content": get_codec("notice_content").encode(content),
            }  # fmt: skip
            lane = "urgent" if is_urgent else "notices"
            outputs.setdefault(f"exchange.{recipient.state.lower()}.{lane}", []).append(
                get_codec("notice").encode(notice)
            )
        if recipient.outcome is Outcome.OFFER:
            codes = [] if "offence_codes" in recipient.redacted else record["offence"]["codes"]
            offer = {
                **terms, "id": make_uuid(f"ask/{item_id}/ACCEPT/{record['version']}.0/{recipient.state}/1"),
                "item_id": item_id, "expires_at": NOW_MS + (2 if is_urgent else 30) * DAY_MS,
                "category": str(VALUE_TYPES[record["type"]].group), "offence_codes": codes,
            }  # fmt: skip
            lane = "urgent" if is_urgent else "offers"
            outputs.setdefault(f"exchange.{recipient.state.lower()}.{lane}", []).append(
                get_codec("offer").encode(offer)
            )
        if recipient.outcome is not Outcome.WITHHOLD:
            more = {name: fields[name] for name in ("state", "outcome", "approver", "relevance", "redacted")}
            drafted.append({**legal, **more})
    if drafted or record["action"] != "PUBLISH":
        draft = {
            "indicator_id": record["id"], "version": record["version"], "decided_at": NOW_MS, "state": "CH",
            "officer": record["source"]["officer"], "content": message.data, "action": record["action"],
            "urgency": record["urgency"], "pack": asdict(reference), "recipients": drafted, "amendment": 0,
            "is_corrected": False,
        }  # fmt: skip
        outputs["national.ch.drafts"] = [get_codec("draft").encode(draft)]
    return outputs


@HYPOTHESIS_SETTINGS
@given(
    st.lists(st.tuples(st.integers(1, 9), VALID_CHANGES, st.sampled_from(["2027-01-01T00:00:00Z", None])), max_size=12)
)
def test_joined_outputs_equal_outputs_encoded_as_a_whole(items: list[tuple[int, dict[str, Any], Any]]) -> None:
    gate = Gate(LAW, load_shipped_treaties())
    context = DecisionContext.open(LAW, load_shipped_treaties(), DIRECTORY, NOW_MS)
    for number, changes, retain_until in items:
        message = make_message(number, **{"retain_until": retain_until, **changes})
        record = get_codec("indicator").decode(message.data)
        expected = encode_expected_outputs(message, record, context.decide(record, NOW_MS))
        actual: dict[str, list[bytes | None]] = {}
        for output in gate.process_batch([message], DIRECTORY, NOW_MS).output_records:
            actual.setdefault(output.topic, []).append(output.value)
        assert actual == expected
