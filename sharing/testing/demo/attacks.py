"""Attacks on a demo with keys: what a State or the operator of the cluster could write with valid rights.

Certificates and ACLs stop none of them: an operator may grant itself any right. Each must be refused because nothing is
accepted that its State has not signed, or that was signed for another place. What shows a refusal is what an officer of
the receiving State sees: a record in the quarantine topic, by reference; or the worker's metrics; or what a reader of
the directory reports.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sharing.directory.announcements import encode_entry as encode_signed_entry
from sharing.directory.announcements import make_announcement
from sharing.directory.statement import SCHEMA, sign_statement
from sharing.kafka.directory_reader import DirectoryReader
from sharing.kafka.directory_topic import encode_entry
from sharing.model.times import from_milliseconds
from sharing.model.vocabulary import MessageKind
from sharing.seal.envelope import OutgoingMessage, Stream
from sharing.seal.sealing import BatchSealer
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.testing.demo.attack_topics import Place, await_refusal, await_repetition, read_message, write_value
from sharing.testing.demo.keys import DemoKeys, read_clock
from sharing.topology.topic_kinds import Role
from sharing.topology.topics import DIRECTORY, NOTICES, URGENT
from sharing.trust.public_keys import KeyRole, PublishedKey

if TYPE_CHECKING:
    from sharing.testing.demo.cluster import DemoCluster

FORGER: Final = "JP"
"""The State whose gate forges: it may write to the topics of all others."""

CLAIMED: Final = "CH"
VICTIM: Final = "DE"
BYSTANDER: Final = "FR"
RECIPIENTS_MAX: Final = 16
NOTICED_SECONDS_MAX: Final = 20.0
_POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class AttackResult:
    """What became of an attack.

    Attributes:
        kind: `forged`, `replayed`, `readdressed` or `directory`.
        detail: What was written, by whom and where.
        state: The State that it was meant for.
        refused: Whether that State refused it.
        cause: Why, as a short code; "" if it was not refused.
        message: Why, in a sentence.
        forged_id: Id of the notice that must reach nobody; "" if none was made up.
    """

    kind: str
    detail: str
    state: str
    refused: bool
    cause: str
    message: str
    forged_id: str = field(default="")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that scripts rely on."""
        names = ("kind", "detail", "state", "refused", "cause", "message")
        return {name: getattr(self, name) for name in names}


def run_attacks(cluster: DemoCluster, keys: DemoKeys) -> Iterator[AttackResult]:
    """Attack, and yield the result of each attack.

    Args:
        cluster: A cluster whose States have keys, after everything was delivered.
        keys: The keys.

    Raises:
        InfrastructureError: The broker did not confirm what was written, or a topic or metrics cannot be read.
    """
    yield _forge_unsealed(cluster)
    yield _forge_sealed(cluster, keys)
    yield _replay(cluster)
    yield _readdress(cluster)
    yield from _replace_entry(cluster, keys)


def _forge_unsealed(cluster: DemoCluster) -> AttackResult:
    notice_id = str(uuid.uuid4())
    place = _write_as_forger(cluster, notice_id, make_forged_notice(notice_id, read_clock()))
    detail = f'an EMERGENCY notice "{CLAIMED} → {VICTIM}", unsealed, that the gate of {FORGER} wrote to {place.topic}'
    return _await_quarantine(cluster, "forged", detail, VICTIM, place, notice_id)


def _forge_sealed(cluster: DemoCluster, keys: DemoKeys) -> AttackResult:
    """Seal as the claimed State would, to the victim's public key, and sign with the forger's own gate key."""
    notice_id, now = str(uuid.uuid4()), read_clock()
    message = OutgoingMessage(
        notice_id,
        MessageKind.NOTICE,
        VICTIM,
        now,
        Stream("gate", now, 0, URGENT.name),
        1,
        make_forged_notice(notice_id, now),
    )
    statement = keys.states[VICTIM].online.get_trusted_keys(now).statement
    (seal_key,) = statement.list_keys(KeyRole.SEAL)
    published = PublishedKey(algorithm=seal_key.algorithm, public=seal_key.public)
    signing_key = keys.states[FORGER].online.get_signing_key(KeyRole.GATE, now)
    sealer = BatchSealer(CLAIMED, secrets.token_bytes)
    (value,) = sealer.seal_batch(
        [message], {VICTIM: published}, signing_key, recipients_max=RECIPIENTS_MAX, now=now
    ).records
    place = _write_as_forger(cluster, notice_id, value)
    detail = (
        f'an EMERGENCY notice "{CLAIMED} → {VICTIM}", sealed to {VICTIM} and signed with the key of {FORGER}, that its '
        f"gate wrote to {place.topic}"
    )
    return _await_quarantine(cluster, "forged", detail, VICTIM, place, notice_id)


def _replay(cluster: DemoCluster) -> AttackResult:
    """Write a message again, unchanged, where it was. The worker counts it as repeated, and writes nothing."""
    properties = cluster.super_user_properties()
    message = read_message(cluster.bootstrap, properties, NOTICES.topic(VICTIM))
    port = cluster.ports[VICTIM]
    is_refused = await_repetition(
        port,
        lambda: write_value(
            cluster.bootstrap, properties, message.place.topic, message.key, message.value, message.place.partition
        ),
        NOTICED_SECONDS_MAX,
    )
    return AttackResult(
        "replayed",
        f"offset {message.place.offset} of {message.place.topic}, written there again with the super user's rights",
        VICTIM,
        is_refused,
        "REPEATED" if is_refused else "",
        "this message was opened before: it is counted, and nothing is written for it" if is_refused else "",
    )


def _readdress(cluster: DemoCluster) -> AttackResult:
    properties = cluster.super_user_properties()
    message = read_message(cluster.bootstrap, properties, NOTICES.topic(VICTIM))
    topic, partition = NOTICES.topic(BYSTANDER), message.place.partition
    place = write_value(cluster.bootstrap, properties, topic, message.key, message.value, partition)
    detail = f"a notice for {VICTIM}, copied to {topic} with the super user's rights"
    return _await_quarantine(cluster, "readdressed", detail, BYSTANDER, place)


def _replace_entry(cluster: DemoCluster, keys: DemoKeys) -> Iterator[AttackResult]:
    """Write another entry of the victim: unsigned, and signed by the forger."""
    (entry,) = (entry for entry in cluster.entries if entry.state == VICTIM)
    (foreign,) = (entry for entry in cluster.entries if entry.state == FORGER)
    replaced = entry.model_copy(update={"authorities": foreign.authorities})
    now = read_clock()
    forger = keys.states[FORGER].online
    content = make_announcement(
        VICTIM,
        encode_signed_entry(replaced),
        previous=None,
        key_statement=keys.states[VICTIM].online.get_trusted_keys(now).statement.version,
        now=now + 1000,
    )
    signed = sign_statement(content, forger.get_signing_key(KeyRole.DIRECTORY, now))
    values = {
        "unsigned": encode_entry(replaced),
        f"signed with the key of {FORGER}": SINGLE_OBJECT_FRAMING.frame(SCHEMA, signed.encode()),
    }
    for name, value in values.items():
        yield _write_entry(cluster, keys, name, value)


def _write_entry(cluster: DemoCluster, keys: DemoKeys, name: str, value: bytes) -> AttackResult:
    """Write an entry of the victim, and see what a State does that has read the entry before."""
    topic = DIRECTORY.topic(VICTIM)
    reader = DirectoryReader(
        cluster.bootstrap, cluster.client_properties(Role.GATE, CLAIMED), change_interval_s=0, pins=keys.pins
    )
    try:
        before = reader.read_to_end().entries[VICTIM]
        ignored = reader.ignored_count
        write_value(cluster.bootstrap, cluster.super_user_properties(), topic, VICTIM.encode(), value, 0)
        deadline = time.monotonic() + NOTICED_SECONDS_MAX
        while reader.ignored_count == ignored and time.monotonic() < deadline:
            reader.poll_updates(_POLL_SECONDS)
        is_kept = reader.ignored_count > ignored and reader.snapshot.entries.get(VICTIM) == before
        cause = reader.unconfirmed.get(VICTIM, "IGNORED") if is_kept else ""
    finally:
        reader.close()
    message = f"the last entry that {VICTIM} has signed stays in force, and notices go where it says" if is_kept else ""
    detail = f"another entry of {VICTIM}, {name}, written to {topic} with the super user's rights"
    return AttackResult("directory", detail, CLAIMED, is_kept, cause, message)


def make_forged_notice(notice_id: str, now: int) -> bytes:
    """Return a notice as the gate of the claimed State would write it.

    Args:
        notice_id: Its id.
        now: The time, in UTC milliseconds.
    """
    content = {"type": "domain-name", "value": "forged.example.org", "summary": "Seize this server at once."}
    record = {
        "id": notice_id,
        "indicator_id": str(uuid.uuid4()),
        "item_id": str(uuid.uuid4()),
        "version": 1,
        "amendment": 0,
        "sent_at": from_milliseconds(now),
        "content": _encode_with_defaults("notice_content", content),
        "kind": "ITEM",
        "from_state": CLAIMED,
        "to_state": VICTIM,
        "urgency": "EMERGENCY",
        "form": "INFORMATION",
        "pack": {"state": CLAIMED, "version": "2026.1", "sha256": "0" * 64},
        "basis": "BUDAPEST",
        "condition_model": "ATTACHED_BINDING",
        "rules": [],
        "conditions": [],
        "obligation": False,
        "relevance": [],
        "redacted": [],
    }
    return _encode_with_defaults("notice", record)


def _encode_with_defaults(schema: str, record: dict[str, Any]) -> bytes:
    codec = get_codec(schema)
    names = {each["name"]: each.get("default") for each in codec.schema["fields"]}
    return codec.encode({name: record.get(name, default) for name, default in names.items()})


def _write_as_forger(cluster: DemoCluster, notice_id: str, value: bytes) -> Place:
    properties = cluster.client_properties(Role.GATE, FORGER)
    return write_value(cluster.bootstrap, properties, URGENT.topic(VICTIM), notice_id.encode(), value, 0)


def _await_quarantine(
    cluster: DemoCluster, kind: str, detail: str, state: str, place: Place, forged_id: str = ""
) -> AttackResult:
    """Return the result of an attack that must end in a State's quarantine topic, by reference."""
    properties = cluster.client_properties(Role.CONSOLE, state)
    refusal = await_refusal(cluster.bootstrap, properties, state, place, NOTICED_SECONDS_MAX)
    if refusal is None:
        return AttackResult(kind, detail, state, False, "", "", forged_id)  # noqa: FBT003
    return AttackResult(kind, detail, state, True, refusal.cause, refusal.message, forged_id)  # noqa: FBT003
