"""A reader that starts again accepts nothing older than what it had accepted before."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from sharing.directory.chain_memory import ChainMemory, parse_memory
from sharing.directory.lasting_chain import LastingChain
from sharing.directory.state_chain import KEYS_KEY
from sharing.directory.statement import NUMBER_MAX
from sharing.errors import InputError
from sharing.trust.ceremonies import revoke_keys
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.public_keys import KeyRole
from tests.directory.signed_states import SignedState, encode, name_of
from tests.trust.trust_fixtures import DAY, NOW, TOLERANCE, make_online
from tests.trust.trust_fixtures import sign_statement as sign_keys

HOUR = 3_600_000


@pytest.fixture
def ch() -> SignedState:
    return SignedState("CH")


def open_chain(ch: SignedState) -> LastingChain:
    """Return the chain of a reader that has read the topic."""
    chain = LastingChain(ch.pin)
    for key, value in (("root.1", ch.root_data), (KEYS_KEY, ch.keys_data), ("CH", ch.announce("A"))):
        assert chain.receive(key, value, NOW) is None
    return chain


def restart(chain: LastingChain, ch: SignedState, now: int = NOW) -> LastingChain:
    """Return the chain of the next reader, which has the memory of the one before."""
    memory = parse_memory(chain.export().to_bytes() + b"\n", "CH")
    following = LastingChain(ch.pin)
    following.restore(memory, now)
    return following


def fault_of(error: TrustError | None) -> TrustFault | None:
    return None if error is None else error.fault


def test_an_older_statement_is_refused_after_a_restart(ch: SignedState) -> None:
    chain = open_chain(ch)
    old = ch.announce("B", now=NOW + 1)
    assert chain.receive("CH", old, NOW + 1) is None
    assert chain.receive("CH", ch.announce("C", now=NOW + 2), NOW + 2) is None
    after = restart(chain, ch, NOW + HOUR)
    assert name_of(after, NOW + HOUR) == "C", "in force at once, as before the restart"
    assert fault_of(after.receive("CH", old, NOW + HOUR)) is TrustFault.ROLLED_BACK
    assert name_of(after, NOW + HOUR) == "C"
    forgetful = LastingChain(ch.pin)
    for key, value in (("root.1", ch.root_data), (KEYS_KEY, ch.keys_data), ("CH", old)):
        assert forgetful.receive(key, value, NOW + HOUR) is None, "without memory it is accepted until it expires"


def test_a_removed_entry_does_not_come_back(ch: SignedState) -> None:
    chain = open_chain(ch)
    announced = ch.announce("B", now=NOW + 1)
    assert chain.receive("CH", announced, NOW + 1) is None
    assert chain.receive("CH", ch.announce(None, now=NOW + 2), NOW + 2) is None
    after = restart(chain, ch)
    assert after.is_removed(NOW + 3)
    assert fault_of(after.receive("CH", announced, NOW + 3)) is TrustFault.ROLLED_BACK
    assert after.is_removed(NOW + 3)


def rotate_and_announce(ch: SignedState, chain: LastingChain, name: str | None, now: int) -> bytes:
    """Announce under the second directory key, while the first is still in force; return the record."""
    assert chain.receive(KEYS_KEY, ch.rotate_directory_key(now=now), now) is None
    ch.number = 2
    announced = ch.announce(name, now=now)
    assert chain.receive("CH", announced, now) is None
    return announced


def test_what_was_verified_before_its_key_was_revoked_stays_after_a_restart(ch: SignedState) -> None:
    """As it does without one: else a restart would refuse all that the State sends, until it announces again."""
    chain = open_chain(ch)
    assert ch.last is not None
    announced = encode(ch.last)
    assert chain.receive(KEYS_KEY, ch.revoke(now=NOW + HOUR), NOW + HOUR) is None
    now, end = NOW + 2 * HOUR, NOW + 24 * HOUR + TOLERANCE
    after = restart(chain, ch, now)
    for each in (chain, after):
        assert name_of(each, now) == "A"
        assert each.get_keys(now) is not None
        assert each.receive("CH", announced, now) is None, "the topic is read again from its beginning"
        assert name_of(each, end) == "A"
        assert (name_of(each, end + 1), each.get_keys(end + 1)) == (None, None)
    forgetful = LastingChain(ch.pin)
    for key, value in (("root.1", ch.root_data), (KEYS_KEY, ch.keys_data)):
        assert forgetful.receive(key, value, now) is None
    assert fault_of(forgetful.receive("CH", announced, now)) is TrustFault.REVOKED, "without memory nothing proves it"


def test_a_removal_stays_after_a_restart_although_its_key_was_revoked(ch: SignedState) -> None:
    chain = open_chain(ch)
    assert ch.last is not None
    before = encode(ch.last)
    rotate_and_announce(ch, chain, None, NOW + 1)
    assert chain.receive(KEYS_KEY, ch.revoke(number=2, now=NOW + HOUR), NOW + HOUR) is None
    after = restart(chain, ch, NOW + HOUR)
    for each in (chain, after):
        assert each.is_removed(NOW + HOUR)
        assert fault_of(each.receive("CH", before, NOW + HOUR)) is TrustFault.ROLLED_BACK, "its own key is in force"
        assert each.is_removed(NOW + HOUR)


def test_what_was_announced_after_a_theft_stays_in_force_after_a_restart(ch: SignedState) -> None:
    """The thief of the revoked key had signed the highest number that there is."""
    chain = open_chain(ch)
    genuine, number = ch.last, {"announcement": NUMBER_MAX, "sequence": NUMBER_MAX}
    assert chain.receive("CH", ch.alter(**number, entry=None), NOW) is None
    assert chain.receive(KEYS_KEY, ch.revoke(now=NOW + 1), NOW + 1) is None
    between = restart(chain, ch, NOW + 1)
    assert (chain.is_removed(NOW + 1), between.is_removed(NOW + 1)) == (True, True)
    ch.last = genuine
    rotate_and_announce(ch, between, "B", NOW + 2)
    assert name_of(restart(between, ch, NOW + HOUR), NOW + HOUR) == "B"


def test_what_is_dated_after_the_revocation_is_not_restored(ch: SignedState) -> None:
    """It arrived before this reader knew of the revocation; another one would have refused it."""
    chain = open_chain(ch)
    assert chain.receive("CH", ch.announce("late", now=NOW + HOUR), NOW + HOUR) is None
    assert chain.receive(KEYS_KEY, ch.revoke(now=NOW + HOUR), NOW + HOUR) is None
    after = restart(chain, ch, NOW + HOUR)
    assert (after.get_entry(NOW + HOUR), after.get_keys(NOW + HOUR)) == (None, None)


def test_a_revocation_is_not_undone_even_if_its_statement_has_expired_first(ch: SignedState) -> None:
    """The later key statement is valid for a shorter time than the one that it replaces."""
    chain = open_chain(ch)
    before = ch.keys_data
    key_id = make_online(KeyRole.GATE, 1, "CH").key_id
    revoked = revoke_keys(ch.root, ch.keys, [key_id], effective_at=NOW, days=2, now=NOW + 1)
    assert chain.receive(KEYS_KEY, ch.take_keys(sign_keys(revoked), NOW + 1), NOW + 1) is None
    later = NOW + 10 * DAY
    after = restart(chain, ch, later)
    assert after.get_keys(later) is None
    assert fault_of(after.receive(KEYS_KEY, before, later)) is TrustFault.ROLLED_BACK
    assert after.get_keys(later) is None


def test_an_older_root_or_one_in_another_form_is_refused(ch: SignedState) -> None:
    chain = open_chain(ch)
    root, keys = ch.rotate_root(now=NOW + 1)
    assert chain.receive("root.2", root, NOW + 1) is None
    between = restart(chain, ch)
    assert (between.root, between.keys) == (ch.root, chain.keys), "the old root keys sign for the new root, too"
    assert chain.receive(KEYS_KEY, keys, NOW + 1) is None
    after = restart(chain, ch)
    assert after.root == ch.root
    assert after.keys == chain.keys
    assert after.receive("root.1", SignedState("CH").root_data, NOW + 2) is None, "it stays in the topic"
    assert after.root == ch.root


def test_what_is_not_signed_is_not_restored(ch: SignedState) -> None:
    memory = open_chain(ch).export()
    stranger = SignedState("CH")
    stranger.number = 2
    stranger.announce("forged", now=NOW + 5)
    assert stranger.last is not None
    unlisted = LastingChain(ch.pin)
    unlisted.restore(replace(memory, statements=(stranger.last,)), NOW + 5)
    assert name_of(unlisted, NOW + 5) is None
    (statement,) = memory.statements
    forged = replace(statement, payload=stranger.last.payload)
    with pytest.raises(TrustError, match="the signature is not valid"):
        LastingChain(ch.pin).restore(replace(memory, statements=(forged,)), NOW + 5)
    with pytest.raises(TrustError):
        LastingChain(ch.pin).restore(replace(memory, keys=SignedState("DE").keys_data), NOW)


def test_another_pin_admits_nothing_that_was_remembered(ch: SignedState) -> None:
    memory = open_chain(ch).export()
    assert LastingChain(ch.pin).admits(memory)
    for pin in (replace(ch.pin, fingerprint="0" * 64), replace(ch.pin, version=2), SignedState("DE").pin):
        assert not LastingChain(pin).admits(memory)


def test_the_newer_of_two_memories_is_kept(ch: SignedState) -> None:
    first = open_chain(ch)
    second = restart(first, ch)
    assert second.receive("CH", ch.announce("B", now=NOW + 1), NOW + 1) is None
    assert second.receive(KEYS_KEY, ch.rotate_directory_key(now=NOW + 1), NOW + 1) is None
    older, newer = first.export(), second.export()
    assert older.join(newer) == newer.join(older) == newer
    assert ChainMemory("CH").join(newer) == newer == newer.join(ChainMemory("CH"))


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"\xff", b"[]", b'{"kind":"directory-memory"}', b"null"],
)
def test_what_is_no_memory_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="is damaged"):
        parse_memory(data, "CH")


def test_a_cut_or_a_foreign_memory_is_refused(ch: SignedState) -> None:
    data = open_chain(ch).export().to_bytes()
    for cut in range(0, len(data), 97):
        with pytest.raises(InputError, match="is damaged"):
            parse_memory(data[:cut], "CH")
    with pytest.raises(InputError, match="is of CH, not of DE"):
        parse_memory(data, "DE")
    content = json.loads(data)
    content["statements"] = ["00"]
    with pytest.raises(InputError, match="is damaged"):
        parse_memory(json.dumps(content, sort_keys=True, separators=(",", ":")).encode(), "CH")


def test_a_chain_counts_what_is_new(ch: SignedState) -> None:
    chain = open_chain(ch)
    assert chain.revision == 3
    assert ch.last is not None
    chain.receive(KEYS_KEY, ch.keys_data, NOW)
    assert chain.revision == 3
    assert restart(chain, ch).revision == 0
