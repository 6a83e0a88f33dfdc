"""Fuzz targets for what officers sign and what other workers reply: one documented refusal, or what was said."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any

from sharing.errors import DecodeError, InputError
from sharing.rulings.mapping import to_events
from sharing.rulings.reply import ReplyKind, ReplyMessage
from sharing.rulings.ruling import Claiming, Opening
from sharing.rulings.signing import SCHEMA
from sharing.rulings.vocabulary import FAULT_SENTENCES, OpeningKind, RulingError
from sharing.serialization.codec import get_codec
from sharing.trust.canonical import encode_canonical
from sharing.trust.signatures import ObjectKind, build_message
from tests.fuzz.fuzz_target import FuzzTarget
from tests.fuzz.mutation import corrupt_bytes, corrupt_tree
from tests.rulings.ruling_fixtures import HASH, KEY, TABLET, answering, make_id, refer, sign, sign_by_passkey, verify
from tests.rulings.test_reply import make_message
from tests.trust.trust_fixtures import DAY, NOW


@cache
def make_rulings() -> list[bytes]:
    """Return signed rulings of several kinds."""
    return [
        sign(answering(asks=(refer(1), refer(2, 1)), conditions_hash=HASH, covers_until=NOW + DAY)),
        sign(Claiming(asks=(refer(3),))),
        sign_by_passkey(Claiming(asks=(refer(5),))),
        sign_by_passkey(answering(asks=(refer(6),)), TABLET),
        sign(Opening(opens=OpeningKind.RECALL, provider="CH", item=make_id(4), partition=0, states=("DE", "FR"))),
    ]


def fuzz_ruling(generator: random.Random) -> int:
    """A ruling: refused in one sentence; or one of the originals; or what the officer's own key has signed."""
    value, is_signed = corrupt_bytes(generator, make_rulings()), generator.random() < 0.5
    if is_signed:
        value = _sign_odd(generator) or value
    try:
        verified = verify(value)
    except RulingError as error:
        return _require_sentence(error, FAULT_SENTENCES[error.fault])
    assert is_signed or value in make_rulings()
    for _, event, _ in to_events(verified.ruling, verified.officer, verified.at_ms, partition=verified.partition):
        assert event.officer == verified.officer
    return 1


def _sign_odd(generator: random.Random) -> bytes | None:
    """Return a ruling with an odd value that the officer's key has signed; None if it has no canonical form."""
    document = json.loads(get_codec(SCHEMA).decode(generator.choice(make_rulings()))["document"])
    content: Any = corrupt_tree(generator, document["signed"])
    try:
        signature = KEY.sign(build_message(ObjectKind.RULING, "CH", encode_canonical(content)))
        signed = {"signatures": [{"key": KEY.public_key.key_id, "signature": signature.hex()}], "signed": content}
        return get_codec(SCHEMA).encode({"document": encode_canonical(signed), "assertion": None})
    except (ValueError, RecursionError):  # nobody can have signed it
        return None


@cache
def make_replies() -> list[bytes]:
    """Return a reply of each kind, as it is sealed."""
    return [make_message(kind).encode() for kind in ReplyKind]


def fuzz_reply(generator: random.Random) -> int:
    """A reply whose sender is proved: refused, or read as what it says."""
    codec, value = get_codec("reply"), corrupt_bytes(generator, make_replies())
    if generator.random() < 0.5:
        record = codec.decode(generator.choice(make_replies()))
        names = record.keys() - {"sent_at", "urgency", "root", "notes"}  # which are no texts
        odd = ["", "UNKNOWN", "ANSWER", "TAKEN", "POLICE", "DE", "é" * 40, make_id(1), HASH]
        record[generator.choice(sorted(names))] = generator.choice(odd)
        value = codec.encode(record)
    try:
        record = codec.decode(value)
        reply = ReplyMessage.from_record(record)
    except (DecodeError, InputError) as error:
        return _require_sentence(error)
    assert reply.to_record() == record
    if reply.kind not in {ReplyKind.COSIGNATURE, ReplyKind.FORK}:  # these are about audit logs, not about an Ask
        assert reply.to_event(NOW).ask == reply.ask
    return 1


def _require_sentence(error: Exception, beginning: str = "") -> int:
    """Assert that a refusal is one printable sentence with this beginning."""
    text = str(error)
    assert text.startswith(beginning)
    assert text.isprintable()
    return 1


RULING_TARGETS = (FuzzTarget("rulings", 16, fuzz_ruling), FuzzTarget("replies", 20, fuzz_reply))
