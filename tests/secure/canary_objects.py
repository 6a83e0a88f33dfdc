"""Objects that carry a secret or content, each after it was used: their `repr` must show neither."""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any

from pydantic import SecretStr

from processors.agents.gate_keys import GateKeySource
from processors.agents.inbox_keys import InboxKeySource
from sharing.keystore.private_key_file import read_key_file, read_private_key
from sharing.seal.indicators import IndicatorOpener, IndicatorSealer
from sharing.seal.opening import MessageOpener
from sharing.seal.own_records import open_own_record
from sharing.settings import Settings
from sharing.topology.topics import DRAFTS, INDICATORS, NOTICES
from sharing.trust.public_keys import KeyRole
from tests.kafka.topic_io import read_records
from tests.secure.secure_bus import PARTITIONS, SecureBus
from tests.secure.secure_states import read_now


def make_objects(bus: SecureBus) -> dict[str, object]:
    """Return one of each kind of object that carries a secret or content, each after it was used."""
    ch, de, now = bus.states["CH"], bus.states["DE"], read_now()
    online, own = de.open_online(), ch.open_online()
    trusted = {"CH": ch.read_lasting_keys()}
    made: dict[str, object] = {"online keys": online, "trusted keys": trusted["CH"]}
    (message, *_) = read_records(bus.broker, NOTICES.topic("DE"), PARTITIONS)
    opener = MessageOpener("DE")
    verified = opener.verify(message.value() or b"", trusted, now)
    assert b"canary-value" in opener.open(verified, online.get_opening_keys(now))
    made |= {"message opener": opener, "verified message": verified}
    made |= {"opening keys": dict(online.get_opening_keys(now)), "wrapping key": online.get_wrapping_key(now)}
    made["signing key"] = online.get_signing_key(KeyRole.GATE, now)
    made["inbox keys"] = InboxKeySource("DE", online, lambda: trusted).collect_keys(now)
    made["gate keys"] = GateKeySource(online, lambda: trusted).collect_keys(now)
    items = bus.read_items("DE")
    assert any(b"canary-value" in item.content for item in items)
    made |= {"opened items": items, "inbox opener": de.open_inbox()}
    made |= _make_indicator_objects(bus, now)
    (draft, *_) = read_records(bus.broker, DRAFTS.topic("CH"), PARTITIONS)
    find = partial(own.find_wrapping_key, now=now)
    assert b"canary-value" in open_own_record(draft.value() or b"", draft.key() or b"", "draft", "CH", find)
    settings: dict[str, Any] = {**bus.states.make_settings("CH"), "tls_key_password": "canary-passphrase"}
    made["settings"] = Settings(**settings)
    key_file, passphrase = ch.reader_files[0], SecretStr(ch.passphrases["reader"])
    made |= {"key file": read_key_file(key_file), "private key": read_private_key(key_file, passphrase)}
    return {**made, "state": ch}


def _make_indicator_objects(bus: SecureBus, now: int) -> dict[str, object]:
    ch = bus.states["CH"]
    sealer, opener = IndicatorSealer("CH", secrets.token_bytes), IndicatorOpener("CH")
    sealer.seal_indicator(b"key", b"canary-value", ch.list_keys(KeyRole.SEAL)[-1].to_published(), now)
    messages = read_records(bus.broker, INDICATORS.topic("CH"), PARTITIONS)
    opening = ch.open_online().get_opening_keys(now)
    values, refused = opener.open_values(
        [each.value() for each in messages], [each.key() for each in messages], opening
    )
    assert any(b"canary-value" in (value or b"") for value in values)
    assert refused
    return {"indicator sealer": sealer, "indicator opener": opener, "refused indicators": refused}
