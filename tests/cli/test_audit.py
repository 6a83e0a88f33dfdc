"""`sharing audit prove` and `check-proof`: a message as a file that proves it to anybody, and that OpenSSL verifies."""

from __future__ import annotations

import json
import secrets
import shutil
import stat
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cbor2
import pytest

from sharing.interop.cose import read_file, sign_file
from sharing.interop.message_proofs import check_proof, decode_proof
from sharing.interop.signature_files import list_signatures
from sharing.keystore.online_keys import OnlineKeys
from sharing.keystore.pin_file import make_pinned_root, write_pins
from sharing.model.times import from_milliseconds
from sharing.model.vocabulary import MessageKind
from sharing.seal.envelope import OutgoingMessage, Stream
from sharing.seal.faults import SealError
from sharing.seal.sealing import BatchSealer
from sharing.serialization.codec import get_codec
from sharing.testing.broker.embedded import EmbeddedBroker
from sharing.topology.topics import DIRECTORY, NOTICES, OFFERS, REPLIES, URGENT
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.public_keys import KeyRole
from sharing.trust.signatures import ObjectKind
from tests.cli.conftest import Call
from tests.kafka.keyed_states import PASSPHRASE, KeyedState, make_signed_entry, read_now
from tests.kafka.topic_io import notice_record, write_records

VALUE = "canary-8a1e.example.org"
DAY = 86_400_000


@dataclass
class Exchange:
    """CH, which sends, and DE, which receives and exports; a proof of one of two notices of one batch."""

    broker: EmbeddedBroker
    ch: KeyedState
    de: KeyedState
    ids: tuple[str, str]
    folder: Path

    @property
    def trust_file(self) -> Path:
        return self.folder / "trust.yaml"

    @property
    def proof(self) -> Path:
        return self.folder / "notice.proof"

    @property
    def data(self) -> bytes:
        return self.proof.read_bytes()

    @property
    def pins(self) -> dict[str, Any]:
        return {"CH": self.ch.pin, "DE": self.de.pin}

    def environment(self) -> dict[str, str]:
        return {
            "SHARING_TRUST_FILE": str(self.trust_file),
            "SHARING_KEY_FOLDER": str(self.de.folder.path),
            "SHARING_KEY_PASSPHRASE_FILE": str(self.folder / "pass"),
            "SHARING_BOOTSTRAP": self.broker.bootstrap,
        }

    def resign(self, change: Callable[[dict[str, Any]], object]) -> bytes:
        """Return the file with another content, signed by DE's desk key: what the exporter itself could do."""
        content: Any = cbor2.loads(read_file(self.data).payload)
        change(content)
        key = OnlineKeys(self.de.folder, self.de.access).get_signing_key(KeyRole.DESK, read_now())
        return sign_file(ObjectKind.EXPORT, "DE", cbor2.dumps(content, canonical=True), key)


def seal_notices(ch: KeyedState, de: KeyedState, now: int) -> tuple[tuple[str, str], list[bytes]]:
    keys = OnlineKeys(ch.folder, ch.access)
    (seal_key,) = OnlineKeys(de.folder, de.access).get_trusted_keys(now).statement.list_keys(KeyRole.SEAL)
    ids = str(uuid.uuid4()), str(uuid.uuid4())
    messages = [
        OutgoingMessage(
            identity, MessageKind.NOTICE, "DE", now, Stream("gate", now, 0, "notices"), number,
            get_codec("notice").encode({**notice_record("DE", VALUE, identity), "sent_at": from_milliseconds(now)}),
        )
        for number, identity in enumerate(ids, start=1)
    ]  # fmt: skip
    sealer = BatchSealer("CH", secrets.token_bytes)
    signing_key = keys.get_signing_key(KeyRole.GATE, now)
    values = sealer.seal_batch(
        messages, {"DE": seal_key.to_published()}, signing_key, recipients_max=16, now=now
    ).records
    return ids, values


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    folder = tmp_path_factory.mktemp("exchange")
    with EmbeddedBroker() as broker:
        broker.create_topics([kind.topic("DE") for kind in (NOTICES, URGENT, OFFERS, REPLIES)], 2)
        broker.create_topics([DIRECTORY.topic(state) for state in ("CH", "DE")], 1)
        ch = KeyedState("CH", folder / "ch", KeyRole.GATE, KeyRole.DIRECTORY, KeyRole.SEAL)
        de = KeyedState("DE", folder / "de", KeyRole.DESK, KeyRole.DIRECTORY, KeyRole.SEAL)
        for state in (ch, de):
            state.open_writer(broker).announce(make_signed_entry(state.state))
        ids, values = seal_notices(ch, de, read_now())
        write_records(broker, NOTICES.topic("DE"), [b"junk", *values])
        for key in (b"root.1", b"root.2", b"keys"):  # what anybody with rights may write there changes nothing
            write_records(
                broker, DIRECTORY.topic("CH"), [b"{}", (de.folder.path / "root.1.json").read_bytes()], key=key
            )
        exchange = Exchange(broker, ch, de, ids, folder)
        (folder / "pass").write_text(PASSPHRASE.get_secret_value())
        (folder / "pass").chmod(0o600)
        write_pins(
            exchange.trust_file, {state: make_pinned_root(pin, read_now()) for state, pin in exchange.pins.items()}
        )
        yield exchange


@pytest.fixture
def exchange(prepared: Exchange, monkeypatch: pytest.MonkeyPatch, call: Call) -> Exchange:
    for name, value in prepared.environment().items():
        monkeypatch.setenv(name, value)
    if not prepared.proof.exists():
        assert call("audit", "prove", prepared.ids[0], "--output", prepared.proof).code == 0
    return prepared


def check(exchange: Exchange, data: bytes, **changes: Any) -> Any:
    return check_proof(data, changes.get("pins", exchange.pins), changes.get("now", read_now()))


def test_a_notice_is_proved_to_somebody_without_a_broker_and_without_keys(
    call: Call, exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stat.S_IMODE(exchange.proof.stat().st_mode) == 0o600
    for name in exchange.environment():
        monkeypatch.delenv(name)
    result = call("audit", "check-proof", exchange.proof, "--trust-file", exchange.trust_file, "--json")
    assert result.code == 0
    document = result.json_document
    assert (document["from"], document["to"], document["id"]) == ("CH", "DE", exchange.ids[0])
    assert document["exported_by"] == "DE"
    assert (document["arrival"]["topic"], document["arrival"]["offset"]) == ("exchange.de.notices", 1)
    assert document["content"]["indicator"]["value"] == VALUE
    assert document["root"].replace(" ", "") == exchange.ch.pin.fingerprint
    shown = call("audit", "check-proof", exchange.proof, "--trust-file", exchange.trust_file)
    assert f"CH signed this notice to DE: {exchange.ids[0]}" in shown.out
    assert "It proves:" in shown.out
    assert "CH signed this notice to DE with the gate key" in document["proves"][0]
    assert "DE states that it had this message" in document["proves"][1]
    assert "It does not prove:" in shown.out
    assert any("signed even if the transaction is then aborted" in each for each in document["does_not_prove"])
    assert VALUE in shown.out


def test_openssl_verifies_every_signature_in_the_proof(call: Call, exchange: Exchange, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path / "signatures"
    result = call("audit", "check-proof", exchange.proof, "--openssl", folder, "--json")
    commands = result.json_document["openssl"]
    names = {Path(command.rpartition(" ")[2]).name.split("-")[0:2][1].split(".")[0] for command in commands}
    assert names == {"root", "keys", "batch", "export"}
    assert len(commands) == 6  # a root and a key statement of each State, the batch, and the file
    for command in commands:
        done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.strip()) == (0, "Signature Verified Successfully"), command
    signed = folder / "ch-batch.signed"
    signed.write_bytes(signed.read_bytes().replace(b"CH", b"FR"))
    altered = next(command for command in commands if "ch-batch" in command)
    assert subprocess.run(altered.split(), capture_output=True, check=False).returncode == 1


def test_what_openssl_verifies_is_what_the_proof_rests_on(exchange: Exchange) -> None:
    """The exported bytes are those that the gate signs, for the batch in which the message is."""
    checked = check(exchange, exchange.data)
    batch = next(item for item in list_signatures(checked) if item.name == "ch-batch")
    head, state, statement = batch.signed.split(b"\x00")
    assert (head, state) == (b"sharing/notices/v1", b"CH")
    assert set(json.loads(statement)) == {"root", "signed_at"}
    assert batch.key.key_id == checked.envelope.signer


def test_an_existing_file_is_not_overwritten(call: Call, exchange: Exchange) -> None:
    result = call("audit", "prove", exchange.ids[1], "--output", exchange.proof)
    assert result.code == 2
    assert "exists already" in result.error


def test_the_file_opens_no_other_message(exchange: Exchange) -> None:
    payload = read_file(exchange.data).payload
    assert exchange.ids[1].encode() not in payload
    proof = decode_proof(payload)
    assert proof.message_key.get_secret_value() not in repr(proof).encode()
    assert VALUE not in repr(check(exchange, exchange.data))


@pytest.mark.parametrize("position", range(0, 3_000, 37))
def test_an_altered_file_is_refused(exchange: Exchange, position: int) -> None:
    data = bytearray(exchange.data)
    data[position % len(data)] ^= 0x40
    with pytest.raises(TrustError):
        check(exchange, bytes(data))
    for cut in (exchange.data[:position], exchange.data + b"\x00", b""):
        with pytest.raises(TrustError):
            check(exchange, cut)


def test_not_even_the_exporter_can_alter_the_message(exchange: Exchange) -> None:
    def alter_record(content: dict[str, Any]) -> None:
        content["record"] = content["record"].replace(exchange.ids[0].encode(), exchange.ids[1].encode())

    assert check(exchange, exchange.resign(lambda _: None)).envelope.id == exchange.ids[0]
    with pytest.raises(SealError, match="not valid"):
        check(exchange, exchange.resign(alter_record))
    with pytest.raises(SealError, match="not the one to which its sender is committed"):
        check(exchange, exchange.resign(lambda content: content.update(message_key=bytes(32))))
    with pytest.raises(TrustError, match="root of DE, not of CH"):
        check(exchange, exchange.resign(lambda content: content.update(sender=content["exporter"])))
    with pytest.raises(TrustError, match="exported in the future"):
        check(exchange, exchange.resign(lambda content: content.update(exported_at=read_now() + DAY)))
    for field in ("state", "exported_at", "arrival", "record", "sender"):
        with pytest.raises(TrustError, match="not a message proof"):
            check(exchange, exchange.resign(partial(_remove, field)))
    with pytest.raises(TrustError, match="not a message proof"):
        check(exchange, exchange.resign(lambda content: content["arrival"].update(offset=-1)))


def _remove(field: str, content: dict[str, Any]) -> None:
    del content[field]


def test_a_key_for_another_purpose_does_not_sign_a_file(exchange: Exchange) -> None:
    payload = read_file(exchange.data).payload
    key = OnlineKeys(exchange.de.folder, exchange.de.access).get_signing_key(KeyRole.DIRECTORY, read_now())
    with pytest.raises(TrustError) as refused:
        check(exchange, sign_file(ObjectKind.EXPORT, "DE", payload, key))
    assert refused.value.fault is TrustFault.WRONG_PURPOSE
    desk = OnlineKeys(exchange.de.folder, exchange.de.access).get_signing_key(KeyRole.DESK, read_now())
    for kind, state in ((ObjectKind.REPLY, "DE"), (ObjectKind.EXPORT, "CH")):
        with pytest.raises(TrustError) as refused:
            check(exchange, sign_file(kind, state, payload, desk))
        assert refused.value.fault is TrustFault.BAD_SIGNATURE


def test_without_the_pinned_roots_nothing_is_proved(
    call: Call, exchange: Exchange, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SHARING_KEY_FOLDER")
    monkeypatch.delenv("SHARING_TRUST_FILE")
    result = call("audit", "check-proof", exchange.proof)
    assert (result.code, result.out) == (2, "")
    assert "no pinned roots: give --trust-file" in result.error
    for state in ("CH", "DE"):
        only = tmp_path / f"{state}.yaml"
        write_pins(only, {state: make_pinned_root(exchange.pins[state], read_now())})
        result = call("audit", "check-proof", exchange.proof, "--trust-file", only)
        assert (result.code, result.out) == (1, "")
        assert "is pinned; pin it with `sharing trust add`" in result.error
    forged = KeyedState("CH", tmp_path / "forged")
    with pytest.raises(TrustError):
        check(exchange, exchange.data, pins={**exchange.pins, "CH": forged.pin})


def test_a_proof_holds_after_the_keys_have_ended(exchange: Exchange) -> None:
    assert check(exchange, exchange.data, now=read_now() + 400 * DAY).envelope.id == exchange.ids[0]


def test_a_content_is_compared_with_decisions_only(call: Call, exchange: Exchange, tmp_path: Path) -> None:
    content = tmp_path / "item.avro"
    content.write_bytes(get_codec("indicator").header)
    refused = call("audit", "check-proof", exchange.proof, "--content", content)
    assert (refused.code, refused.out) == (2, "")
    assert "is a proof of a message, which shows its content" in refused.error
    junk = tmp_path / "junk"
    junk.write_bytes(b"junk")
    refused = call("audit", "check-proof", junk, "--content", content)
    assert (refused.code, refused.out) == (1, "")
    assert "is not a file that `sharing audit prove` has written" in refused.error


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"{}", "is not a file that `sharing audit prove` has written")],
)
def test_a_file_that_is_no_proof_is_refused(
    call: Call, exchange: Exchange, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "other.proof"
    if content is not None:
        path.write_bytes(content)
    result = call("audit", "check-proof", path)
    assert result.code == (2 if content is None else 1)
    assert str(path) in result.error
    assert message in result.error


def test_what_is_missing_for_a_proof_is_named(
    call: Call, exchange: Exchange, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    output = ("--output", tmp_path / "x.proof")
    unknown = call("audit", "prove", str(uuid.uuid4()), *output)
    assert unknown.code == 2
    assert "DE has no sealed message with the id" in unknown.error
    assert "30 days" in unknown.error
    only_own = tmp_path / "own.yaml"
    write_pins(only_own, {"DE": make_pinned_root(exchange.de.pin, read_now())})
    monkeypatch.setenv("SHARING_TRUST_FILE", str(only_own))
    assert "no root of CH is pinned" in call("audit", "prove", exchange.ids[0], *output).error
    monkeypatch.delenv("SHARING_TRUST_FILE")
    assert "SHARING_TRUST_FILE is not set" in call("audit", "prove", exchange.ids[0], *output).error
    monkeypatch.delenv("SHARING_KEY_FOLDER")
    assert "SHARING_KEY_FOLDER is not set" in call("audit", "prove", exchange.ids[0], *output).error
    assert not (tmp_path / "x.proof").exists()
