"""The signed record of a ruling: what was signed is what the conversation gets, and anything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sharing.conversation.asks import Officer
from sharing.conversation.events import (
    AmendmentOrdered,
    Claimed,
    OrderEvent,
    PassedOn,
    RecallOrdered,
    ResendOrdered,
    Ruled,
)
from sharing.model.times import DAY_MS
from sharing.officers.register import Register
from sharing.rulings.cover_ending import EndingCover
from sharing.rulings.mapping import to_events
from sharing.rulings.ruling import Answering, Claiming, Opening, PassingOn, Ruling
from sharing.rulings.signing import RULING_BYTES_MAX, SCHEMA, FindOfficer, sign_ruling, verify_again, verify_ruling
from sharing.rulings.vocabulary import FAULT_SENTENCES, OpeningKind, RulingError, RulingFault
from sharing.serialization.codec import get_codec
from sharing.trust.documents import CLOCK_TOLERANCE_MS, sign_document
from sharing.trust.signatures import ObjectKind
from tests.officers.register_fixtures import KEYS, grant
from tests.rulings.ruling_fixtures import (
    EXAMPLES,
    JUDGE,
    KEY,
    OTHER_KEY,
    RULINGS,
    STATE,
    RegisteredOfficer,
    answering,
    expect_fault,
    find_officer,
    make_id,
    make_ruling,
    sign,
    verify,
)
from tests.trust.trust_fixtures import DAY, NOW, make_signer


@settings(max_examples=EXAMPLES, deadline=None)
@given(RULINGS)
def test_what_was_signed_is_what_happens(ruling: Ruling) -> None:
    value = sign_ruling(ruling, KEY)
    partitions = ruling.list_partitions() or (0,)
    copies = [verify(value, partition=partition, at_ms=NOW + 5) for partition in partitions]
    verified = copies[0]
    assert all((copy.ruling, copy.officer, copy.digest) == (ruling, JUDGE, verified.digest) for copy in copies)
    assert sign_ruling(verified.ruling, KEY) == value
    events = [
        each for copy in copies for each in to_events(copy.ruling, copy.officer, copy.at_ms, partition=copy.partition)
    ]
    act = ruling.act
    if isinstance(act, Opening):
        states = None if act.states is None else frozenset(act.states)
        is_recall, facts = act.opens is OpeningKind.RECALL, frozenset(fact.name for fact in act.facts)
        expected: OrderEvent = RecallOrdered(JUDGE, states) if is_recall else AmendmentOrdered(JUDGE, facts)
        if act.opens is OpeningKind.RESEND:
            expected = ResendOrdered(JUDGE, states)
        assert [(each.event, each.provider) for each in events] == [(expected, act.provider)]
        return
    if isinstance(act, EndingCover):
        assert events == []
        return
    assert sorted(each.item for each in events) == sorted(reference.item for reference in act.asks)
    nonces = {reference.ask: reference.nonce for reference in act.asks}
    for _, event, provider in events:
        assert not isinstance(event, OrderEvent)
        assert provider == act.asks[0].provider
        assert (event.officer, event.at, event.nonce) == (JUDGE, NOW + 5, nonces.pop(event.ask))
        match act, event:
            case Answering(), Ruled():
                assert event.answer is act.answer
                assert event.facts == {fact.name for fact in act.facts}
                assert event.relaxed == frozenset(act.relaxed or ())
            case Claiming(), Claimed():
                pass
            case PassingOn(), PassedOn():
                assert event.authority == act.authority
            case _:
                pytest.fail(f"{act!r} became {event!r}")
    assert not nonces, "an Ask got no event"


@settings(max_examples=EXAMPLES, deadline=None)
@given(RULINGS, st.data())
def test_any_changed_byte_is_refused(ruling: Ruling, data: st.DataObject) -> None:
    value = bytearray(sign_ruling(ruling, KEY))
    place = data.draw(st.integers(0, len(value) - 1))
    value[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RulingError) as caught:
        verify(bytes(value), partition=(*ruling.list_partitions(), 0)[0])
    assert caught.value.fault in RulingFault


def test_every_byte_of_one_ruling_counts() -> None:
    value = sign()
    for place in range(len(value)):
        for flip in (0x01, 0x20, 0x80):
            changed = value[:place] + bytes([value[place] ^ flip]) + value[place + 1 :]
            with pytest.raises(RulingError):
                verify(changed)


def test_every_fault_has_one_sentence() -> None:
    assert FAULT_SENTENCES.keys() == set(RulingFault)
    for sentence in FAULT_SENTENCES.values():
        assert sentence.isprintable()
        assert len(sentence) < 200
        assert not sentence.endswith(".")


def test_a_record_that_is_no_ruling_is_refused() -> None:
    codec = get_codec(SCHEMA)
    document = codec.decode(sign())["document"]
    expect_fault(RulingFault.MALFORMED, None)
    expect_fault(RulingFault.MALFORMED, b"")
    expect_fault(RulingFault.MALFORMED, b"ruling")
    expect_fault(RulingFault.MALFORMED, codec.encode({"document": b"{}", "assertion": None}))
    expect_fault(RulingFault.MALFORMED, codec.encode({"document": document + b"\n", "assertion": None}))
    renamed = document.replace(b'"state":', b'"State":')
    expect_fault(RulingFault.MALFORMED, codec.encode({"document": renamed, "assertion": None}))
    odd = document.replace(b'"does":"answer"', b'"does":"\\u001b[31m"')
    assert odd != document
    expect_fault(RulingFault.MALFORMED, codec.encode({"document": odd, "assertion": None}))
    expect_fault(RulingFault.OVERSIZED, b"x" * (RULING_BYTES_MAX + 1))


def test_a_ruling_is_valid_from_its_signature_to_its_expiry() -> None:
    value = sign(expires_at=NOW + 1000)
    verify(value, at_ms=NOW - CLOCK_TOLERANCE_MS)
    expect_fault(RulingFault.NOT_YET_VALID, value, at_ms=NOW - CLOCK_TOLERANCE_MS - 1)
    verify(value, at_ms=NOW + 999)
    expect_fault(RulingFault.EXPIRED, value, at_ms=NOW + 1000)


def test_only_an_officer_of_this_state_who_is_in_force_rules() -> None:
    expect_fault(RulingFault.WRONG_STATE, sign(), state="DE")
    expect_fault(RulingFault.WRONG_STATE, sign(state="DE"))
    expect_fault(RulingFault.UNKNOWN_OFFICER, sign(officer="o-nobody"))
    late = sign(signed_at=NOW + DAY, expires_at=NOW + DAY + 1000)
    expect_fault(RulingFault.UNKNOWN_OFFICER, late, at_ms=NOW + DAY)


def test_only_one_signature_by_the_officers_own_key_counts() -> None:
    ruling = make_ruling()
    assert verify(sign_ruling(ruling, OTHER_KEY)).ruling == ruling  # any key of the officer
    expect_fault(RulingFault.UNKNOWN_KEY, sign_ruling(ruling, make_signer("somebody")))
    codec = get_codec(SCHEMA)
    for signers in ((), (KEY, OTHER_KEY)):
        document = sign_document(ObjectKind.RULING, "CH", ruling, signers)
        expect_fault(RulingFault.BAD_SIGNATURE, codec.encode({"document": document.to_bytes(), "assertion": None}))


@pytest.mark.parametrize(("kind", "state"), [(ObjectKind.OFFICER, "CH"), (ObjectKind.RULING, "DE")])
def test_a_signature_on_another_kind_of_object_or_for_another_state_does_not_count(
    kind: ObjectKind, state: str
) -> None:
    document = sign_document(kind, state, make_ruling(), [KEY])
    value = get_codec(SCHEMA).encode({"document": document.to_bytes(), "assertion": None})
    expect_fault(RulingFault.BAD_SIGNATURE, value)


def test_a_copy_on_a_partition_that_it_is_not_about_is_refused() -> None:
    verify(sign(), partition=0)
    expect_fault(RulingFault.WRONG_PARTITION, sign(), partition=1)


def test_the_copies_of_a_ruling_have_one_digest_and_another_ruling_has_another() -> None:
    assert verify(sign()).digest == verify(sign(), at_ms=NOW + 1).digest
    assert verify(sign()).digest != verify(sign(text="for another reason")).digest


def test_a_repr_does_not_show_the_officers_words() -> None:
    assert "as the law asks" not in repr(verify(sign()))


def test_the_register_of_officers_proves_who_ruled() -> None:
    register = Register(KEYS)
    assert register.receive("o1", grant(register).encode(), NOW) is None
    find: FindOfficer = register.find_officer
    value = sign_ruling(make_ruling(officer="o1"), make_signer("officer o1"))
    verified = verify_ruling(value, find, state="CH", partition=0, at_ms=NOW)
    assert verified.officer == Officer("o1", "fedpol", frozenset({"PUBLIC_PROSECUTOR"}))
    for fault, signer in ((RulingFault.UNKNOWN_KEY, KEY), (RulingFault.UNKNOWN_OFFICER, make_signer("officer o2"))):
        officer = "o2" if fault is RulingFault.UNKNOWN_OFFICER else "o1"
        forged = sign_ruling(make_ruling(officer=officer), signer)
        with pytest.raises(RulingError) as caught:
            verify_ruling(forged, find, state="CH", partition=0, at_ms=NOW)
        assert caught.value.fault is fault


def test_a_ruling_that_covers_later_asks_belongs_on_every_partition_and_others_do_not() -> None:
    covering = sign(answering(covers_until=NOW + DAY))
    assert [verify(covering, partition=number).partition for number in (0, 1, 7)] == [0, 1, 7]
    ending = sign(EndingCover(cover="ab" * 32, provider=STATE, item=make_id(1)))
    assert verify(ending, partition=5).partition == 5
    expect_fault(RulingFault.WRONG_PARTITION, sign(answering()), partition=1)


def test_a_kept_ruling_is_valid_as_long_as_its_officer_could_sign_it_now() -> None:
    value = sign(answering(covers_until=NOW + DAY))

    def check(now_ms: int, find: FindOfficer = find_officer, state: str = STATE) -> bool:
        verified = verify_again(value, find, state=state, partition=3, at_ms=NOW, now_ms=now_ms)
        assert verified is None or (verified.officer, verified.partition, verified.at_ms) == (JUDGE, 3, NOW)
        return verified is not None

    assert check(NOW + DAY_MS - 1), "also after the time in which it had to be written"
    assert not check(NOW + DAY_MS), "the officer's entry has expired"
    assert not check(NOW, lambda *_: None), "revoked"
    assert not check(NOW, lambda *_: RegisteredOfficer(JUDGE, (OTHER_KEY.public_key,))), "another key since"
    assert not check(NOW, state="DE")
    spoilt = bytearray(value)
    spoilt[-3] ^= 1
    assert verify_again(bytes(spoilt), find_officer, state=STATE, partition=3, at_ms=NOW, now_ms=NOW) is None
