"""What a proof of an entry of an audit log proves, and what it does not, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sharing.audit.origins import format_origin
from sharing.cli.audit.openings import describe_content
from sharing.interop.entry_proofs import CheckedEntry
from sharing.model.times import format_time
from sharing.model.vocabulary import AuditLogName
from sharing.trust.root import format_fingerprint


def describe_entry(checked: CheckedEntry) -> dict[str, Any]:
    """Return what a proof says, as the command line's JSON shows it."""
    checkpoint, place = checked.proof.checkpoint, checked.place
    is_decision = place.log is AuditLogName.DECISIONS
    return {
        "kind": "DECISION" if is_decision else "ACT",
        "item": checked.fields["indicator_id" if is_decision else "item_id"],
        "state": place.state,
        "log": format_origin(place),
        "block": checked.proof.number,
        "entry": checked.number,
        "written_at": format_time(checked.written_at),
        "checkpoint": {
            "blocks": checkpoint.size,
            "root": checkpoint.root.hex(),
            "signed_at": format_time(checkpoint.signed_at),
            "signer": checked.signer,
        },
        "cosigned_by": {state: format_time(at) for state, at in checked.cosigned_by.items()},
        "not_counted": dict(checked.not_counted),
        "witnessed_at": None if checked.witnessed_at is None else format_time(checked.witnessed_at),
        "stamped_at": None if checked.stamped_at is None else format_time(checked.stamped_at),
        "root": format_fingerprint(checked.keys.root.fingerprint),
        "proves": list(list_proved(checked)),
        "does_not_prove": list(list_not_proved(checked)),
        "record": checked.fields,
        "content": describe_content(checked.opened),
    }


def list_proved(checked: CheckedEntry) -> Iterator[str]:
    """Yield what is proved, one sentence each."""
    place, checkpoint = checked.place, checked.proof.checkpoint
    what = "decision" if place.log is AuditLogName.DECISIONS else "act"
    yield (
        f"{place.state} has this {what} in its log {format_origin(place)}, as entry {checked.number}, in block "
        f"{checked.proof.number} of {checkpoint.size}. Not a byte of it has changed since."
    )
    yield (
        f"{place.state} signed that with the gate key {checked.signer[:16]}…, which its pinned root names, at "
        f"{format_time(checkpoint.signed_at)} by its own clock."
    )
    if checked.opened is not None:
        yield (
            "The decision was about exactly the content that is shown: it matches the commitment in the log, and no "
            "other content does."
        )
    for state, at in checked.cosigned_by.items():
        yield (
            f"{state} saw this state of the log at {format_time(at)} by its own clock, and saw that it continues "
            f"everything that {state} had seen of it before."
        )
    if checked.witnessed_at is not None:
        yield (
            f"So it existed at {format_time(checked.witnessed_at)} at the latest, and {place.state} cannot show "
            "another history of this log without contradicting its own signature."
        )
    if checked.stamped_at is not None:
        yield (
            f"A time-stamping service, whose root you named, states that this state of the log existed at "
            f"{format_time(checked.stamped_at)}."
        )


def list_not_proved(checked: CheckedEntry) -> Iterator[str]:
    """Yield what is not proved, one sentence each."""
    state = checked.place.state
    if checked.witnessed_at is None:
        yield _describe_missing_witnesses(checked)
    if checked.proof.time_stamp is None:
        yield "That anyone other than a State has seen it: the file has no time stamp of a service."
    elif checked.stamped_at is None:
        yield "What the time stamp in the file says: name the roots of the service with --time-stamp-roots."
    yield f"That it was written at {format_time(checked.written_at)}: this time is {state}'s own."
    if checked.place.log is AuditLogName.DECISIONS:
        yield from _list_not_shown(checked)
        yield "That what the decision names was sent, arrived or was read; a proof of the message itself shows that."
        yield "That the decision is lawful, or that its facts are true; it says which rules were applied."
    else:
        yield "That what the act says was right; it says what was done, when, and under which role."
    yield "That there is no other entry about this item: `sharing audit verify` and the whole log show that."
    yield "That a key was not revoked after the key statement in the file was issued; ask the States for their newest."


def _describe_missing_witnesses(checked: CheckedEntry) -> str:
    """Return what is not proved because fewer States have cosigned than are required, or none are required."""
    state = checked.place.state
    if not checked.cosigned_by:
        return (
            f"That another State has seen it: no cosignature counts. {state} alone states when it was written, and "
            "could have shown others another history."
        )
    return (
        f"That enough other States have seen it: only {' and '.join(checked.cosigned_by)} cosigned. {state} could have "
        "shown others another history."
    )


def _list_not_shown(checked: CheckedEntry) -> Iterator[str]:
    """Yield that the content of the item is not shown, if it is not."""
    if not checked.proof.commitment:
        yield f"Which content the decision was about: {checked.place.state} had no keys, and nothing binds it to one."
    elif checked.proof.opening is None:
        yield "Which content the decision was about: the file does not show it, and nobody can guess it from the file."
    elif checked.opened is None:
        yield "Which content the decision was about: compare the content that you were given, with --content FILE."
