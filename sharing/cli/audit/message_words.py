"""What a proof of a message proves, and what it does not, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sharing.interop.message_proofs import CheckedProof
from sharing.model.times import format_time
from sharing.model.vocabulary import MessageKind
from sharing.serialization.notice_decoder import decode_notice
from sharing.trust.root import format_fingerprint


def describe_message(checked: CheckedProof) -> dict[str, Any]:
    """Return what a proof of a message says, as the command line's JSON shows it."""
    envelope, proof = checked.envelope, checked.proof
    content: Any = dict(checked.fields)
    if envelope.kind == MessageKind.NOTICE:
        content = decode_notice(checked.content, envelope.to_state).to_json()
    return {
        "id": envelope.id,
        "kind": envelope.kind,
        "from": envelope.from_state,
        "to": envelope.to_state,
        "signed_at": format_time(checked.signed_at),
        "signer": envelope.signer,
        "root": format_fingerprint(checked.sender.root.fingerprint),
        "exported_by": proof.state,
        "exported_at": format_time(proof.exported_at),
        "arrival": {**proof.arrival.model_dump(), "arrived_at": format_time(proof.arrival.arrived_at)},
        "proves": list(list_proved(checked)),
        "does_not_prove": list(list_not_proved(checked)),
        "content": content,
    }


def list_proved(checked: CheckedProof) -> Iterator[str]:
    """Yield what is proved, one sentence each."""
    envelope, proof = checked.envelope, checked.proof
    yield (
        f"{envelope.from_state} signed this {envelope.kind.lower()} to {envelope.to_state} with the gate key "
        f"{envelope.signer[:16]}…, which its pinned root names, at {format_time(checked.signed_at)} by its own clock. "
        "Not a byte of it has changed since, and it has no other content than the one that is shown."
    )
    yield (
        f"{proof.state} states that it had this message at {format_time(proof.exported_at)} by its own clock, and that "
        f"it arrived at {format_time(proof.arrival.arrived_at)} by its broker's clock."
    )


def list_not_proved(checked: CheckedProof) -> Iterator[str]:
    """Yield what is not proved, one sentence each."""
    sender, kind = checked.envelope.from_state, checked.envelope.kind.lower()
    yield (
        f"That {sender} committed it: what a transaction writes is signed even if the transaction is then "
        "aborted. A proof of the "
        f"decision from the audit log of {sender} shows that."
    )
    yield f"That the times are right: they are those of {sender} and of {checked.proof.state}."
    yield f"That what the {kind} says is true, or that {sender} was allowed to send it."
    yield "That nothing else was sent, such as a correction or a recall, or that anybody read it."
    yield (
        f"That a key was not revoked after {format_time(checked.proof.exported_at)}; ask the States for their newest "
        "key statements."
    )
