"""Exports a message that this State has received, with the proof of who has signed it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from confluent_kafka import Message

from sharing.cli.shared.connection import load_client_settings
from sharing.cli.shared.console import err, print_json, print_line
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.unreadable import print_unreadable
from sharing.errors import InputError, SettingsError
from sharing.interop.message_proofs import Arrival, KeyDocuments, MessageProof, check_proof, sign_proof
from sharing.kafka.directory_pins import read_directory_pins
from sharing.kafka.key_documents import read_key_documents
from sharing.kafka.topic_range import TopicRange
from sharing.kafka.unreadable_records import Unreadable, add_bad_batches
from sharing.keystore.configured_keys import open_configured_keys
from sharing.keystore.files import PRIVATE_MODE, write_new_file
from sharing.keystore.online_keys import OnlineKeys
from sharing.model.times import DAY_MS, format_time
from sharing.seal.faults import SealError
from sharing.seal.message_proof import export_message_key
from sharing.seal.opening import MessageOpener, VerifiedMessage
from sharing.seal.sealed_record import decode_record, get_header
from sharing.serialization.avro_primitives import encode_string
from sharing.serialization.framing import Framing
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings
from sharing.topology.topics import EXCHANGE_RETENTION_MS, NOTICES, OFFERS, REPLIES, URGENT
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyRole
from sharing.trust.root import Pin

_KINDS = (NOTICES, URGENT, OFFERS, REPLIES)


def export_message(message_id: str, output: Path, bootstrap: str | None, *, as_json: bool) -> None:
    """Write the proof of a message to a file, and print what it is about.

    Raises:
        SharingError: There is no such message, it cannot be opened, or its sender is not pinned.
    """
    settings, servers, tls = load_client_settings(bootstrap)
    keys, pins = _open_keys(settings)
    now = read_clock()
    own_keys = keys.get_trusted_keys(now)
    state = own_keys.state
    framing = load_framing(settings, state)
    signing_key = keys.get_signing_key(KeyRole.DESK, now)
    found = _find_record(servers, state, message_id, tls, framing)
    sender = decode_record(found[1]).envelope.from_state
    if sender not in pins:
        raise TrustError(TrustFault.NOT_PINNED, f"no root of {sender} is pinned: nobody can say who signed this")
    roots, statement, sender_keys = read_key_documents(servers, pins[sender], now, tls, framing)
    opener = MessageOpener(state)
    verified = opener.verify(found[1], {sender: sender_keys}, now)
    proof = MessageProof(
        state=state,
        exported_at=now,
        arrival=_describe_arrival(found[0]),
        record=found[1],
        message_key=export_message_key(opener, verified, keys.get_opening_keys(now)),
        sender=KeyDocuments(roots=roots, statement=statement),
        exporter=_read_own_documents(servers, own_keys, pins[state], now, tls, framing),
    )
    data = sign_proof(proof, signing_key)
    check_proof(data, pins, now, framing=framing)  # as everybody who gets it will do
    write_new_file(output, data, PRIVATE_MODE)
    _print_result(output, verified, as_json=as_json)


def _open_keys(settings: Settings) -> tuple[OnlineKeys, Mapping[str, Pin]]:
    keys, pins = open_configured_keys(settings), read_directory_pins(settings)
    if keys is None or pins is None:
        missing = "SHARING_KEY_FOLDER" if keys is None else "SHARING_TRUST_FILE"
        raise SettingsError(
            f"{missing} is not set: a proof needs the State's keys, to open the message and to sign the file, and the "
            "pinned root of its sender"
        )
    return keys, pins


def _find_record(
    servers: str, state: str, message_id: str, tls: Mapping[str, str], framing: Framing
) -> tuple[Message, bytes]:
    """Return the first record of a message in the State's exchange topics, and its value in single-object encoding.

    Raises:
        InputError: There is none.
    """
    beginning = get_header() + encode_string(message_id)
    unreadable: Unreadable = []
    for kind in _KINDS:
        for message in _read_topic(servers, kind.topic(state), tls, unreadable):
            value = framing.to_single_object(message.value()) or b""
            if value.startswith(beginning) and _is_readable(value):
                return message, value
    print_unreadable(unreadable)  # it may be in one of these
    raise InputError(
        f"{state} has no sealed message with the id {message_id!r}: "
        f"{', '.join(kind.topic(state) for kind in _KINDS)} keep messages for {EXCHANGE_RETENTION_MS // DAY_MS} days; "
        "`sharing subscribe` shows the ids of notices"
    )


def _read_topic(servers: str, topic: str, tls: Mapping[str, str], unreadable: Unreadable) -> Iterator[Message]:
    with closing(TopicRange(servers, topic, f"{topic}.proofs", properties=tls)) as opened:
        for messages in opened.read_batches():
            yield from messages
        add_bad_batches(unreadable, opened.bad_batches)


def _is_readable(value: bytes) -> bool:
    try:
        decode_record(value)
    except SealError:
        return False
    return True


def _describe_arrival(message: Message) -> Arrival:
    return Arrival(
        topic=str(message.topic()),
        partition=int(message.partition() or 0),
        offset=int(message.offset() or 0),
        arrived_at=int(message.timestamp()[1]),
    )


def _read_own_documents(
    servers: str, own_keys: TrustedKeys, pin: Pin, now: int, tls: Mapping[str, str], framing: Framing
) -> KeyDocuments:
    """Return the documents of this State as everybody reads them.

    Raises:
        InputError: The newest key statement is not published yet.
    """
    roots, statement, published = read_key_documents(servers, pin, now, tls, framing)
    if published.digest != own_keys.digest:
        raise InputError(
            f"{own_keys.state}: the directory has another key statement than the key folder; the State's gate "
            "publishes it within a minute, `sharing directory announce` at once"
        )
    return KeyDocuments(roots=roots, statement=statement)


def _print_result(output: Path, verified: VerifiedMessage, *, as_json: bool) -> None:
    envelope = verified.envelope
    if as_json:
        print_json({
            "id": envelope.id, "kind": envelope.kind, "from": envelope.from_state, "to": envelope.to_state,
            "signed_at": format_time(verified.signed_at), "file": str(output),
        })  # fmt: skip
        return
    print_line(f"{output}: {envelope.kind.lower()} {envelope.id}, signed by {envelope.from_state}")
    err.print("the file shows the content: give it only to those who may see it; `sharing audit check-proof` checks it")
