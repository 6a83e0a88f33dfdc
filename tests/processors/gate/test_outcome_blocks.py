"""What agencies are told of a batch: each record in exactly one row, how it was decided, or why it was rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.agents.gate_agent import decide_batch
from processors.exactly_once.batch import DEFAULT_LIMITS, Batch, ConservationError, OutputLimits, OutputRecord
from processors.gate.batch_result import BatchResult
from processors.gate.gate import Gate
from processors.gate.input_records import InputRecords
from processors.gate.outcome_blocks import BatchOutcomes, OutcomeBlocks, OutcomeTopics
from processors.gate.outcome_tags import OutcomeTags, find_block_limit, group_recipients
from processors.gate.output_policy import CLOSED
from sharing.conversation.revision import Revision
from sharing.law.pack import Pack
from sharing.model.bad_batch import BadBatch
from sharing.model.decision import RecipientDecision, Verdict
from sharing.model.recipient_terms import RecipientTerms
from sharing.model.vocabulary import Outcome
from sharing.outcomes.block_reading import read_block
from sharing.outcomes.block_writing import UNKNOWN_ID, pack_id
from sharing.outcomes.outcome import (
    UNKNOWN_AGENCY,
    DecidedOutcome,
    ItemOutcome,
    OutcomeWriter,
    QuarantinedOutcome,
    digest_agency,
)
from sharing.packs.library import load_shipped_treaties
from tests.processors.gate.amendment_fixtures import AMENDMENTS_TOPIC, amend_message
from tests.processors.gate.gate_fixtures import (
    DIRECTORY,
    FULL_OF_MARKERS,
    HELD,
    INVALID_MESSAGES,
    LAW,
    MARKER,
    NEVER_COLUMNAR,
    NOW_MS,
    OFFERED,
    PACK,
    TOPIC,
    WITHHELD,
    Message,
    indicator_form,
    make_message,
    make_pack,
)

SHARED = OutcomeBlocks(OutcomeTopics("CH"))
OWN = OutcomeBlocks(OutcomeTopics("CH", ("Police", "customs")))
OWN_TOPICS = {f"{TOPIC}.Police": "Police", f"{TOPIC}.customs": "customs", TOPIC: None}
POLICE = digest_agency("Police")


def decide(
    *messages: Message, blocks: OutcomeBlocks | None = SHARED, pack: Pack = LAW, columnar_min: int = 1,
    unreadable: Sequence[BadBatch] = (), limits: OutputLimits = DEFAULT_LIMITS, **gate: Any,
) -> list[OutputRecord]:  # fmt: skip
    """Return the blocks that a batch of these records gives."""
    batch = Batch(messages, NOW_MS, {}, unreadable=unreadable, output_limits=limits)
    made = Gate(pack, load_shipped_treaties(), columnar_min=columnar_min, **gate)
    outputs = decide_batch(made, batch, DIRECTORY, BatchResult(), outcomes=blocks)
    return [output for output in outputs if ".outcomes" in output.topic]


def read_items(outputs: Sequence[OutputRecord]) -> list[ItemOutcome]:
    for output in outputs:
        assert output.key is None
        assert output.headers is None
        block = read_block(output.value)
        assert (block.state, block.writer, block.partition) == ("CH", OutcomeWriter.GATE, output.partition)
        assert (block.pack, block.written_at) == (LAW.reference, NOW_MS)
    return [item for output in outputs for item in read_block(output.value).items]


def read_decided(*messages: Message, **options: Any) -> DecidedOutcome:
    (item,) = read_items(decide(*messages, **options))
    assert isinstance(item.told, DecidedOutcome)
    return item.told


@pytest.fixture(params=[1, NEVER_COLUMNAR], ids=["columnar", "record"])
def columnar_min(request: pytest.FixtureRequest) -> int:
    minimum: int = request.param
    return minimum


@pytest.mark.parametrize(
    ("changes", "outcome", "is_sent", "is_closed"),
    [
        ({}, Outcome.DISCLOSE, True, False),
        (OFFERED, Outcome.OFFER, True, False),
        (HELD, Outcome.HOLD, False, False),
        (WITHHELD, Outcome.WITHHOLD, False, True),
    ],
)
def test_an_agency_is_told_how_its_item_was_decided(
    changes: dict[str, Any], outcome: Outcome, is_sent: bool, is_closed: bool, columnar_min: int
) -> None:
    told = read_decided(make_message(nexus=[{"state": "IE", "reason": "r"}], **changes), columnar_min=columnar_min)
    group = next(group for group in told.groups if "IE" in group.states)
    assert (group.outcome, group.is_sent, told.is_closed) == (outcome, is_sent, is_closed)
    assert group.explanation
    if outcome is Outcome.HOLD:
        assert group.approver == "JUDGE"
    if outcome is Outcome.OFFER:
        assert group.conditions == ("ch.condition",)


def test_an_item_for_which_nobody_was_considered_is_told(columnar_min: int) -> None:
    told = read_decided(make_message(nexus=[], **WITHHELD), columnar_min=columnar_min)
    assert (told.is_closed, told.groups) == (True, ())


def test_states_for_which_the_same_was_decided_are_one_group() -> None:
    """Also where the terms differ in what an agency is not told. Whom something is sent, is not the same."""
    terms = RecipientTerms(Outcome.DISCLOSE, "BUDAPEST", None, (), (), (), None, False, ())
    other = replace(terms, to_authority="COURT")
    states = {"US": terms, "DE": terms, "IE": other, "FR": replace(terms, basis="UNCAC"), "NL": terms}
    recipients = tuple(RecipientDecision(state, (), each) for state, each in states.items())
    groups = group_recipients(Verdict(recipients, Outcome.DISCLOSE), frozenset({0, 1, 2, 3}), frozenset({"FR"}))
    assert [(group.states, group.is_sent, group.is_asked) for group in groups] == [
        (("DE", "IE", "US"), True, False), (("FR",), True, True), (("NL",), False, False),
    ]  # fmt: skip


def test_a_rule_of_the_bus_is_told_too(columnar_min: int) -> None:
    first = make_message(1)
    second = make_message(1, action="SUPERSEDE", version=2)
    items = read_items(decide(second, first, columnar_min=columnar_min))
    assert [item.revision for item in items] == [Revision(2), Revision(1)]
    told = items[1].told
    assert isinstance(told, DecidedOutcome)
    assert told.is_closed
    assert [rule.id for group in told.groups for rule in group.rules] == ["bus.superseded"]


def test_an_agency_is_told_why_a_record_was_rejected(columnar_min: int) -> None:
    wrong = replace(make_message(1), record_key=make_message(2).record_key)
    (item,) = read_items(decide(wrong, columnar_min=columnar_min))
    assert isinstance(item.told, QuarantinedOutcome)
    assert (item.told.stage, item.told.cause, item.told.offset) == ("CHECK", "FIELD_ID", None)
    # By the key, which its publisher has chosen.
    assert (item.indicator_id, item.revision, item.agency) == (indicator_form(2)["id"], Revision(1), POLICE)


def test_a_record_without_an_id_is_named_by_its_offset(columnar_min: int) -> None:
    (item,) = read_items(decide(Message(b"garbage", b"k", 41), columnar_min=columnar_min))
    assert isinstance(item.told, QuarantinedOutcome)
    assert (item.indicator_id, item.agency, item.told.offset) == (None, UNKNOWN_AGENCY, 41)


def test_what_could_not_be_read_is_told_by_its_offset() -> None:
    bad = BadBatch(TOPIC, 3, 70, 80, "BAD_COMPRESSION")
    items = read_items(decide(make_message(1), unreadable=[bad]))
    assert [(item.indicator_id, getattr(item.told, "offset", None)) for item in items] == [
        (None, 70), (indicator_form(1)["id"], None),
    ]  # fmt: skip


def test_each_agency_with_a_topic_of_its_own_reads_only_its_own_items(columnar_min: int) -> None:
    messages = [
        make_message(number, source={"state": "CH", "agency": agency, "authority": "POLICE"})
        for number, agency in enumerate(("Police", "customs", "Police", "unlisted"), 1)
    ]
    messages = [
        replace(message, topic_name=f"{TOPIC}.{agency}")
        for message, agency in zip(messages[:3], ("Police", "customs", "Police"), strict=True)
    ] + [replace(messages[3], topic_name=TOPIC)]
    outputs = decide(*messages, blocks=OWN, columnar_min=columnar_min, agency_by_topic=OWN_TOPICS)
    told = {output.topic: [item.indicator_id for item in read_items([output])] for output in outputs}
    assert told == {
        "national.ch.outcomes.Police": [indicator_form(1)["id"], indicator_form(3)["id"]],
        "national.ch.outcomes.customs": [indicator_form(2)["id"]],
    }
    assert {item.agency for item in read_items([outputs[0]])} == {POLICE}


def test_who_owns_a_topic_is_told_of_what_it_has_written_there_whatever_it_says(columnar_min: int) -> None:
    """Otherwise an agency could write into what another one is told."""
    source = {"state": "CH", "agency": "customs", "authority": "POLICE"}
    foreign = replace(make_message(1, source=source), topic_name=f"{TOPIC}.Police")
    garbage = Message(b"garbage", b"k", 2, topic_name=f"{TOPIC}.Police")
    outputs = decide(foreign, garbage, blocks=OWN, columnar_min=columnar_min, agency_by_topic=OWN_TOPICS)
    assert [output.topic for output in outputs] == ["national.ch.outcomes.Police"]
    assert [item.agency for item in read_items(outputs)] == [POLICE, POLICE]


def test_each_partition_has_a_block_of_its_own(columnar_min: int) -> None:
    messages = [replace(make_message(number), record_partition=number % 2) for number in range(1, 6)]
    outputs = decide(*messages, columnar_min=columnar_min)
    assert [output.partition for output in outputs] == [0, 1]
    assert [[item.indicator_id for item in read_items([output])] for output in outputs] == [
        [indicator_form(number)["id"] for number in numbers] for numbers in ((2, 4), (1, 3, 5))
    ]


def test_the_parts_of_a_batch_are_one_block() -> None:
    messages = [make_message(number) for number in range(1, 9)]
    assert decide(*messages, part_bytes_max=1) == decide(*messages)
    assert len(decide(*messages, part_bytes_max=1)) == 1


def test_nobody_is_told_where_it_is_switched_off() -> None:
    assert decide(make_message(1), blocks=None) == []


@pytest.mark.parametrize("columnar", [True, False])
def test_no_content_is_told(columnar: bool) -> None:
    changes: list[dict[str, Any]] = [{}, OFFERED, HELD, WITHHELD, {"nexus": []}]
    source = {"state": "CH", "agency": "Police", "officer": MARKER, "authority": "POLICE", "case": MARKER}
    messages = [
        make_message(
            number, **{**FULL_OF_MARKERS, "nexus": [{"state": "US", "reason": MARKER}], **each, "source": source}
        )
        for number, each in enumerate(changes, 1)
    ]
    messages += [replace(message, data=(message.data or b"")[:-3]) for message in messages]
    messages += [replace(message, record_key=MARKER.encode()) for message in messages]
    outputs = decide(*messages, columnar_min=1 if columnar else NEVER_COLUMNAR)
    assert Counter(type(item.told) for item in read_items(outputs)) == {DecidedOutcome: 5, QuarantinedOutcome: 15}
    for output in outputs:
        assert MARKER.encode() not in (output.value or b"")
        assert MARKER.lower().encode() not in (output.value or b"")


def test_amendments_are_told_with_their_numbers() -> None:
    message = amend_message(1)
    gate = Gate(LAW, load_shipped_treaties(), has_conversation=True)
    records = InputRecords(
        [make_message(1), message], [make_message(1).record_key, message.record_key], [make_message(1).data, None],
        InputRecords.read([make_message(1), message]).partitions, amendments={1: message.data},
    )  # fmt: skip
    result = BatchResult.join(gate.process_parts(records, DIRECTORY, NOW_MS, None))
    outcomes = BatchOutcomes(SHARED, Batch(records.messages, NOW_MS, {}), LAW.reference, DEFAULT_LIMITS)
    outcomes.add_part(result)
    items = read_items(list(outcomes.finish(result)))
    assert [(item.revision, item.agency) for item in items] == [(Revision(1), POLICE), (Revision(1, 1), POLICE)]
    assert message.topic() == AMENDMENTS_TOPIC


ANY_MESSAGE = st.one_of(
    st.builds(
        lambda number, changes, partition: replace(make_message(number, **changes), record_partition=partition),
        st.integers(1, 40), st.sampled_from([{}, OFFERED, HELD, WITHHELD, {"nexus": []}, {"summary": "other"}]),
        st.integers(0, 2),
    ),
    st.sampled_from([invalid for invalid, *_ in INVALID_MESSAGES.values()]),
)  # fmt: skip


@given(st.lists(ANY_MESSAGE, max_size=40), st.sampled_from([1, NEVER_COLUMNAR]))
def test_every_record_is_in_exactly_one_row(messages: list[Message], minimum: int) -> None:
    """Those of a partition in their order, each under the key of its record, if that is an id."""
    items = read_items(decide(*messages, columnar_min=minimum))
    assert Counter(item.partition for item in items) == Counter(message.record_partition for message in messages)
    for partition in range(4):
        told = [item.indicator_id for item in items if item.partition == partition]
        keys = [message.record_key or b"" for message in messages if message.record_partition == partition]
        for identity, key in zip(told, keys, strict=True):
            if pack_id(key.decode("ascii", "replace")) != UNKNOWN_ID:
                assert identity == key.decode()


Spoil = Callable[[BatchResult], None]


def drop_tag(result: BatchResult) -> None:
    result.outputs.tags[0] = None


def forget_tag(result: BatchResult) -> None:
    del result.outputs.tags[0]


def repeat_tag(result: BatchResult) -> None:
    result.outputs.tags.append(result.outputs.tags[0])


@pytest.mark.parametrize("spoil", [drop_tag, forget_tag, repeat_tag])
def test_a_part_in_which_a_record_has_no_outcome_is_not_committed(spoil: Spoil) -> None:
    class SpoilingGate(Gate):
        def process_parts(self, *arguments: Any) -> Any:
            for part in super().process_parts(*arguments):
                spoil(part)
                yield part

    gate = SpoilingGate(LAW, load_shipped_treaties())
    with pytest.raises(ConservationError, match="has no outcome for its agency"):
        list(decide_batch(gate, Batch([make_message(1)], NOW_MS, {}), DIRECTORY, BatchResult(), outcomes=SHARED))


def test_a_batch_whose_rows_do_not_match_its_counts_is_not_committed() -> None:
    """A rejected record that its agency is told was decided, or the other way round."""
    messages = [make_message(1), Message(b"garbage", b"k", 2)]
    gate = Gate(LAW, load_shipped_treaties())
    result = gate.process_batch(messages, DIRECTORY, NOW_MS)
    result.outputs.tags[1] = result.outputs.tags[0]
    outcomes = BatchOutcomes(SHARED, Batch(messages, NOW_MS, {}), LAW.reference, DEFAULT_LIMITS)
    outcomes.add_part(result)
    with pytest.raises(ConservationError, match="the outcomes for their agencies differ"):
        list(outcomes.finish(result))


def test_a_decided_record_whose_key_is_no_id_is_not_committed() -> None:
    messages = [make_message(1)]
    result = Gate(LAW, load_shipped_treaties()).process_batch(messages, DIRECTORY, NOW_MS)
    result.outputs.keys[0] = b"no id"
    outcomes = BatchOutcomes(SHARED, Batch(messages, NOW_MS, {}), LAW.reference, DEFAULT_LIMITS)
    outcomes.add_part(result)
    with pytest.raises(ConservationError, match="is not an id"):
        list(outcomes.finish(result))


def test_something_unreadable_without_an_outcome_is_not_committed() -> None:
    batch = Batch([], NOW_MS, {}, unreadable=[BadBatch(TOPIC, 3, 70, 80, "BAD_COMPRESSION")])
    outcomes = BatchOutcomes(SHARED, batch, LAW.reference, DEFAULT_LIMITS)
    with pytest.raises(ConservationError, match="could not be read has no outcome"):
        outcomes.add_unreadable(BatchResult())


def test_blocks_fit_the_topics_of_all_agencies() -> None:
    """Where a topic accepts less than the topic table says, blocks are smaller, and what does not fit is shortened."""
    limits = OutputLimits({"outcomes": 1_000_000, "outcomes.customs": 24_000, "decisions": 100})
    assert find_block_limit(DEFAULT_LIMITS) == 400_000
    assert find_block_limit(limits) == 14_000
    outputs = decide(*[make_message(number) for number in range(1, 1500)], limits=limits)
    assert len(outputs) > 1
    assert all(len(output.value or b"") <= 14_000 for output in outputs)
    assert len(read_items(outputs)) == 1499


def test_an_outcome_that_does_not_fit_is_shortened() -> None:
    verdict = Verdict((), Outcome.WITHHOLD)
    tags = OutcomeTags(OutputLimits({"outcomes": 20_050}), 1_000_000)
    long = tags.tag_decided("a" * 512, Revision(1), verdict, CLOSED)
    assert len(long.outcome) < 600
    told = read_decided(make_message(1), limits=OutputLimits({"outcomes": 20_001}))
    assert (told.groups, told.is_shortened, told.is_closed) == ((), True, False)


def test_a_tag_is_made_once_for_items_that_share_it() -> None:
    gate = Gate(LAW, load_shipped_treaties(), columnar_min=NEVER_COLUMNAR)
    result = gate.process_batch([make_message(number) for number in range(1, 50)], DIRECTORY, NOW_MS)
    assert len(set(result.outputs.tags)) == 1


def test_a_law_that_names_many_rules_is_told_with_all_of_them(columnar_min: int) -> None:
    told = read_decided(make_message(1), pack=make_pack(PACK), columnar_min=columnar_min)
    assert {rule.id for group in told.groups for rule in group.rules} >= {"ch.permit"}
