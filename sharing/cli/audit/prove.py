"""`sharing audit prove`: export a decision or an act of this State, or a message that it received, with its proof."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from confluent_kafka import Message
from cryptography.x509 import Certificate

from sharing.audit.block import read_entry_id
from sharing.audit.cosignature import WITNESSES_DEFAULT
from sharing.cli.audit.entry_words import describe_entry
from sharing.cli.audit.openings import ContentFile, Shown, WithContent, WithSalt, find_opening
from sharing.cli.audit.time_stamps import fetch_time_stamp
from sharing.cli.shared.connection import Bootstrap, load_client_settings
from sharing.cli.shared.console import AsJson, err, print_json, print_line, progress_bar
from sharing.cli.shared.console_connection import StateOption, connect_console
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.unreadable import print_unreadable
from sharing.console.audit_logs import make_audit_source
from sharing.console.connection import ConsoleConnection
from sharing.errors import InputError, SettingsError, SharingError
from sharing.interop.entry_proof_file import read_entry_proof
from sharing.interop.entry_proofs import check_entry_proof
from sharing.interop.entry_search import EntrySearch, FoundEntry
from sharing.interop.message_proofs import Arrival, KeyDocuments, MessageProof, check_proof, sign_proof
from sharing.interop.time_stamp_roots import read_time_stamp_roots
from sharing.interop.witness_keys import read_known_keys
from sharing.kafka.directory_pins import read_directory_pins
from sharing.kafka.key_documents import read_key_documents
from sharing.kafka.topic_range import TopicRange
from sharing.kafka.unreadable_records import Unreadable, add_bad_batches
from sharing.keystore.configured_keys import open_configured_keys
from sharing.keystore.files import PRIVATE_MODE, write_new_file
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.online_keys import OnlineKeys
from sharing.model.times import DAY_MS, format_time
from sharing.model.vocabulary import AuditLogName
from sharing.seal.faults import SealError
from sharing.seal.message_proof import export_message_key
from sharing.seal.opening import MessageOpener, VerifiedMessage
from sharing.seal.sealed_record import decode_record, get_header
from sharing.serialization.avro_primitives import encode_string
from sharing.serialization.framing import Framing
from sharing.serialization.schema_registry import load_framing
from sharing.settings import Settings, load_settings
from sharing.topology.topics import EXCHANGE_RETENTION_MS, NOTICES, OFFERS, REPLIES, URGENT
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys
from sharing.trust.public_keys import KeyRole
from sharing.trust.root import Pin

_KINDS = (NOTICES, URGENT, OFFERS, REPLIES)


class Subject(StrEnum):
    """What is proved.

    Attributes:
        DECISION: What the State's gate has decided on one of its own items.
        ACT: What was done about an item.
        MESSAGE: A notice or an offer that the State has received.
    """

    DECISION = "decision"
    ACT = "act"
    MESSAGE = "message"


def prove_item(
    item: Annotated[str, typer.Argument(metavar="ITEM", help="Id of the item, notice or offer.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")],
    subject: Annotated[
        Subject | None, typer.Option("--of", help="What is proved. Default: a decision; if there is none, a message.")
    ] = None,
    which: Annotated[
        int | None, typer.Option("--which", min=1, help="Which decision or act, from 1. Default: the last one.")
    ] = None,
    witnesses: Annotated[
        int, typer.Option("--witnesses", min=0, help="How many other States must have cosigned.")
    ] = WITNESSES_DEFAULT,
    with_content: WithContent = False,
    with_salt: WithSalt = False,
    content: ContentFile = None,
    state: StateOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Export what proves a decision or an act of this State to anybody, or a message that it has received.

    A decision or an act is proved by the State's audit log and by the States that have cosigned it. A message is proved
    by the signature of its sender: the file shows the content, opens no other message, and is signed by the desk key.
    With the State's keys, the file also shows which content a decision was about, and of no other decision.
    """
    is_decision = subject in {None, Subject.DECISION}
    shown = Shown.choose(content, with_content=with_content, with_salt=with_salt, is_decision=is_decision)
    is_entry = subject in {Subject.DECISION, Subject.ACT}
    own = state or _find_own_state()
    if subject is not Subject.MESSAGE and (own is not None or is_entry):
        console = connect_console(bootstrap, own)
        roots = read_time_stamp_roots(console.settings)
        log = AuditLogName.ACTS if subject is Subject.ACT else AuditLogName.DECISIONS
        with progress_bar(console.state, 1.0, as_percentage=True) as set_done:
            search = EntrySearch(
                make_audit_source(console),
                console.state,
                read_clock(),
                console.settings.state_folder,
                lambda _topic, done, total: set_done(done / max(total, 1)),
                roots,
            )
            found = search.find(item, log, which)
        if found is not None:
            if found.not_searched:
                err.print(f"{found.not_searched}; what comes after it was not searched")
            _export_entry(console, search, found, output, witnesses, roots, shown, as_json=as_json)
            return
        missing = f"{console.state} has no entry about {item!r} in its log of {log.lower()}"
        if is_entry or which is not None or shown.is_opened:
            raise InputError(missing)
        try:
            _prove_message(item, output, bootstrap, as_json=as_json)
        except SharingError as error:
            error.args = (f"{missing}, and no message is proved: {error}",)
            raise
        return
    _prove_message(item, output, bootstrap, as_json=as_json)


def _find_own_state() -> str | None:
    """Return the configured State, or that of the key folder."""
    settings = load_settings()
    if settings.state is not None or settings.key_folder is None:
        return settings.state
    return KeyFolder(settings.key_folder).read_roots()[0].state


def _export_entry(
    console: ConsoleConnection,
    search: EntrySearch,
    found: FoundEntry,
    output: Path,
    required: int,
    roots: Sequence[Certificate],
    shown: Shown,
    *,
    as_json: bool,
) -> None:
    settings, pins = console.settings, read_directory_pins(console.settings)
    if pins is None:
        raise SettingsError(
            "no pinned roots: set SHARING_TRUST_FILE; a proof holds the documents that lead from pinned roots to the "
            "keys of this State and of its witnesses"
        )
    keys = read_known_keys(make_audit_source(console), console.state, pins, read_clock())
    proof = search.make_proof(found, keys, required)
    if shown.is_opened:
        item = read_entry_id(proof.entry, found.place.log)
        proof = replace(proof, opening=find_opening(console, found, item, shown))
    if proof.time_stamp is None and settings.time_stamp_url is not None:
        stamp = fetch_time_stamp(settings.time_stamp_url, proof.checkpoint.note.text, roots)
        proof = replace(proof, time_stamp=stamp)
    data = proof.encode()
    checked = check_entry_proof(  # as everybody will do who gets it
        read_entry_proof(data), pins, read_clock(), required=required, stamp_roots=roots, content=shown.content
    )
    write_new_file(output, data, PRIVATE_MODE)
    if checked.witnessed_at is None:
        err.print(f"fewer than {required} other States have cosigned a checkpoint of it: the proof says so")
    document = describe_entry(checked)
    if as_json:
        names = ("kind", "item", "log", "block", "entry", "written_at", "witnessed_at", "stamped_at")
        print_json({**{name: document[name] for name in names}, "file": str(output)})
        return
    witnessed = f"witnessed at {document['witnessed_at']}" if document["witnessed_at"] else "not witnessed"
    print_line(f"{output}: {document['kind'].lower()} about {document['item']}, {witnessed}")
    err.print("`sharing audit check-proof` checks it anywhere, without a broker, and says what it proves")
    if shown.in_file:
        err.print("the file shows the content of the item: give it only to those who may see it")


def _prove_message(message_id: str, output: Path, bootstrap: str | None, *, as_json: bool) -> None:
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
