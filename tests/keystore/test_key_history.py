"""What was sealed or signed under a key opens after its rotation, for as long as it is kept; and after a restore."""

from __future__ import annotations

import secrets

import pytest
from pydantic import SecretStr

from sharing.errors import InputError
from sharing.keystore.backup import BackupShare, make_backup, open_backup
from sharing.keystore.key_access import require_seed_key
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.passphrase_change import change_passphrase
from sharing.keystore.private_key import WRAP_ROLE
from sharing.keystore.pruning import destroy_private_key, judge_private_keys
from sharing.keystore.signing_choice import SETTLE_MS
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import MessageKind
from sharing.seal.faults import SealError, SealFault
from sharing.seal.hpke import wrap
from sharing.seal.inbox_opening import InboxOpener
from sharing.seal.inbox_sealing import InboxSealer, ReceivedMessage
from sharing.seal.own_records import OwnRecordSealer, open_own_record
from sharing.topology.topics import DRAFTS, INBOX
from sharing.trust.faults import TrustFault
from sharing.trust.public_keys import KeyRole
from tests.keystore.state_keys import DAY, NOW, PASSPHRASE, StateKeys
from tests.seal.seal_fixtures import make_opening_key

CASES = make_opening_key("reader cases")
CONTENT = b"CANARY-3f9d-content"


@pytest.fixture
def online(ch: StateKeys) -> OnlineKeys:
    """The keys as a worker has them that runs all the time."""
    return OnlineKeys.open(ch.path, PASSPHRASE)


def put_into_inbox(online: OnlineKeys, now: int) -> bytes:
    """Return an item, as the worker of the State seals it at this time."""
    message = ReceivedMessage("id", MessageKind.NOTICE, "DE", "ORDINARY", now, "a" * 64, CONTENT)
    sealer = InboxSealer("CH", secrets.token_bytes)
    (item,) = sealer.seal_for_readers([message], [CASES.public_key], online.get_signing_key(KeyRole.GATE, now), now)
    return item


def seal_draft(online: OnlineKeys, now: int) -> bytes:
    sealer = OwnRecordSealer("CH", secrets.token_bytes)
    sealer.begin_batch(*online.get_wrapping_key(now), now)
    (sealed,) = sealer.seal_records("draft", [(b"item/1", CONTENT)], now)
    return sealed


def open_draft(online: OnlineKeys, sealed: bytes, now: int) -> bytes:
    return open_own_record(sealed, b"item/1", "draft", "CH", lambda key_id: online.find_wrapping_key(key_id, now))


def prune(ch: StateKeys, now: int) -> int:
    """Destroy what has ended; return how many keys there were."""
    roots = ch.folder.read_roots()
    ended = [verdict for verdict in judge_private_keys(ch.folder, roots, now) if not verdict.is_needed]
    for verdict in ended:
        destroy_private_key(ch.folder, verdict, None)
    return len(ended)


def open_item(online: OnlineKeys, item: bytes, now: int, arrived_at: int | None = None) -> bytes:
    return InboxOpener("CH", CASES).open(item, online.get_trusted_keys(now), now, arrived_at=arrived_at).content


def test_the_inbox_of_a_year_opens_through_all_rotations(ch: StateKeys, online: OnlineKeys) -> None:
    """A gate key is rotated every 25 days, and each item opens for as long as the topic keeps it."""
    kept: list[tuple[int, bytes]] = []
    ch.renew_root(days=3660, now=NOW)
    for number in range(32):
        now = NOW + number * 25 * DAY
        if number:
            ch.rotate(KeyRole.GATE, now=now)
        prune(ch, now)
        kept.append((now + SETTLE_MS, put_into_inbox(online, now + SETTLE_MS)))
        kept = [(at, item) for at, item in kept if at + INBOX.retention_ms > now]
        for at, item in kept:
            assert open_item(online, item, now + 2 * SETTLE_MS) == CONTENT, f"sealed {(now - at) // DAY} days ago"
    assert len(kept) == 15
    assert len(ch.list_keys(KeyRole.GATE)) < 20, "keys that nothing needs any more are not listed"


def test_earlier_items_stay_readable_after_a_revocation_and_later_ones_are_refused(
    ch: StateKeys, online: OnlineKeys
) -> None:
    now = NOW + DAY
    early, late = put_into_inbox(online, now), put_into_inbox(online, now + 10_000)
    ch.rotate(KeyRole.GATE, now=now + 20_000)
    stolen_at = now + 5_000
    ch.revoke(ch.list_keys(KeyRole.GATE)[0], at=stolen_at, now=now + 30_000)
    keys, opener, later = online.get_trusted_keys(now + 30_000), InboxOpener("CH", CASES), now + 60_000
    for _ in range(2):  # also once the data keys are known
        assert opener.open(early, keys, later, arrived_at=stolen_at - 1).content == CONTENT
        for item, arrived_at in ((late, now + 10_001), (early, stolen_at), (early, None), (early, later + DAY)):
            with pytest.raises(SealError) as refused:
                opener.open(item, keys, later, arrived_at=arrived_at)
            assert (refused.value.fault, refused.value.trust_fault) == (SealFault.UNTRUSTED_SIGNER, TrustFault.REVOKED)
    following = put_into_inbox(online, later)
    assert opener.open(following, keys, later, arrived_at=later).content == CONTENT, "under the new key"


def test_what_arrives_before_a_planned_revocation_opens(ch: StateKeys, online: OnlineKeys) -> None:
    item = put_into_inbox(online, NOW)
    ch.rotate(KeyRole.GATE, now=NOW + 1)
    ch.revoke(ch.list_keys(KeyRole.GATE)[0], at=NOW + DAY, now=NOW + 2)
    keys, opener = online.get_trusted_keys(NOW + 2), InboxOpener("CH", CASES)
    assert opener.open(item, keys, NOW + 3).content == CONTENT
    with pytest.raises(SealError):
        opener.open(item, keys, NOW + DAY)


def test_drafts_open_after_rotations_of_the_wrapping_key(ch: StateKeys, online: OnlineKeys) -> None:
    ch.renew_root(days=3660, now=NOW)
    draft, replaced_at = seal_draft(online, NOW), NOW + 100 * DAY
    for number in range(1, 5):
        ch.add_wrapping_key(NOW + number * 100 * DAY)
        prune(ch, NOW + number * 100 * DAY)
    last = replaced_at + DRAFTS.retention_ms
    assert open_draft(online, draft, last) == CONTENT
    assert prune(ch, last) == 0
    assert prune(ch, replaced_at + 367 * DAY_MS) == 1
    with pytest.raises(SealError, match="is not in the key folder; restore it from the backup"):
        open_draft(online, draft, last + 2 * DAY)


def test_what_was_sealed_to_a_key_cannot_be_opened_once_it_was_pruned(ch: StateKeys, online: OnlineKeys) -> None:
    """That is what a State confirms when it confirms a deletion."""
    (seal_key,) = online.get_opening_keys(NOW).values()
    sealed = wrap("CH", seal_key.public_key, CONTENT, b"info")
    ch.rotate(KeyRole.SEAL, now=NOW + 25 * DAY)
    ch.rotate(KeyRole.SEAL, now=NOW + 50 * DAY)
    end = NOW + 30 * DAY
    assert prune(ch, end + 30 * DAY) == 0
    assert online.get_opening_keys(end + 30 * DAY)[seal_key.public_key.key_id].unwrap(sealed, b"info") == CONTENT
    assert prune(ch, end + 31 * DAY) == 1
    for opening in online.get_opening_keys(end + 31 * DAY).values():
        with pytest.raises(SealError):
            opening.unwrap(sealed, b"info")
    assert not list((ch.path / "private").glob(f"*{seal_key.public_key.key_id[:16]}*"))


@pytest.mark.parametrize("chosen", [(0, 1), (1, 2), (0, 2)])
def test_two_of_three_custodians_recover_what_a_lost_machine_could_open(
    ch: StateKeys, online: OnlineKeys, chosen: tuple[int, int]
) -> None:
    """Messages sealed to the seal key, before and after a rotation, and a draft: all open after the restore."""
    messages = [seal_to_newest(online, NOW)]
    draft = seal_draft(online, NOW)
    ch.rotate(KeyRole.SEAL, now=NOW + DAY)
    ch.add_wrapping_key(NOW + DAY)
    messages.append(seal_to_newest(online, NOW + DAY))
    private = [path for path in ch.folder.list_private_keys() if path.name.startswith((KeyRole.SEAL, WRAP_ROLE))]
    backup, shares = make_backup("CH", [require_seed_key(ch.access.read_key(path)) for path in private], 2, 3)
    for path in private:
        path.unlink()
    later = NOW + DAY + 1
    lost = OnlineKeys.open(ch.path, PASSPHRASE)
    with pytest.raises(SealError):
        open_draft(lost, draft, later)
    given: list[BackupShare] = [shares[number] for number in chosen]
    for key in open_backup(backup, given):
        ch.folder.write_private_key(ch.access.protect(key))
    recovered = OnlineKeys.open(ch.path, PASSPHRASE)
    opening = recovered.get_opening_keys(later)
    assert [opening[key_id].unwrap(sealed, b"info") for key_id, sealed in messages] == [CONTENT] * 2
    assert open_draft(recovered, draft, later) == CONTENT
    ch.rotate(KeyRole.SEAL, now=later)  # the successor was in the backup, too


def seal_to_newest(online: OnlineKeys, now: int) -> tuple[str, bytes]:
    """Return the id of the State's newest seal key, and a message that was sealed to it."""
    key = online.get_trusted_keys(now).statement.list_keys(KeyRole.SEAL)[-1].to_published()
    return key.key_id, wrap("CH", key, CONTENT, b"info")


def test_a_running_worker_goes_on_after_the_passphrase_was_changed(ch: StateKeys, online: OnlineKeys) -> None:
    """It has its keys in memory; those that follow it opens once it was started again with the new passphrase."""
    before = online.get_signing_key(KeyRole.GATE, NOW)
    after = SecretStr("another passphrase")
    change_passphrase(ch.folder, PASSPHRASE, after)
    assert online.get_signing_key(KeyRole.GATE, NOW) is before
    with pytest.raises(InputError, match="the passphrase is wrong"):
        online.get_opening_keys(NOW)
    assert OnlineKeys.open(ch.path, after).get_opening_keys(NOW)
