"""A State states to others only what an officer has signed who is in its register now."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.errors import InputError
from sharing.model.directory import DirectoryEntry
from sharing.model.standing_acceptance import ACCEPTANCE_DAYS_MAX, StandingAcceptance, hash_condition_text
from sharing.model.times import DAY_MS, format_time, from_milliseconds
from sharing.officers.changes import revoke_officer
from sharing.officers.register import Register
from sharing.officers.standing_acceptance import AcceptanceContent, drop_refused, find_refusal, sign_acceptance
from sharing.serialization.codec import get_codec
from sharing.trust.documents import CLOCK_TOLERANCE_MS, make_content
from sharing.trust.signatures import MemorySigningKey
from tests.officers.register_fixtures import KEYS, REGISTRARS, grant, sign
from tests.trust.trust_fixtures import NOW, make_signer

OFFICER_KEY = make_signer("officer o1")
CONDITIONS = (
    {"code": "de.irg-61a-2", "text_hash": hash_condition_text("Only for this purpose.")},
    {"code": "de.irg-61a-3", "text_hash": hash_condition_text("Not as evidence.")},
)


def make_register() -> Register:
    register = Register(KEYS)
    assert register.receive("o1", grant(register).encode(), NOW) is None
    return register


def accept(key: MemorySigningKey = OFFICER_KEY, **changes: Any) -> StandingAcceptance:
    fields = {
        "state": "CH",
        "from_state": "DE",
        "conditions": CONDITIONS,
        "offences": ("ILLEGAL_ACCESS", "LAUNDERING"),
        "urgency": ("EMERGENCY",),
        "valid_from": NOW,
        "valid_until": NOW + 90 * DAY_MS,
        "officer": "o1",
        "signed_at": NOW,
        **changes,
    }
    return sign_acceptance(make_content(AcceptanceContent, fields), key)


def make_entry(*acceptances: StandingAcceptance) -> DirectoryEntry:
    return DirectoryEntry.parse(
        {
            "state": "CH",
            "announced_at": format_time(NOW),
            "authorities": [{"name": "A", "kind": "POLICE"}],
            "standing_acceptances": [each.model_dump(mode="json") for each in acceptances],
        }
    )


def refuse(acceptance: StandingAcceptance, state: str = "CH", now: int = NOW) -> str | None:
    return find_refusal(acceptance, state, make_register().find_officer, now)


def test_what_an_officer_has_signed_is_stated() -> None:
    entry = make_entry(accept(), accept(from_state="FR"))
    assert drop_refused(entry, make_register().find_officer, NOW) == (entry, ())
    read = DirectoryEntry.parse(
        get_codec("directory_entry").decode(get_codec("directory_entry").encode(entry.to_record()))
    )
    assert read == entry
    assert drop_refused(read, make_register().find_officer, NOW) == (entry, ())


@pytest.mark.parametrize(
    "changes",
    [
        {"from_state": "FR"},
        {"conditions": CONDITIONS[:1]},
        {"conditions": ({**CONDITIONS[0], "text_hash": "0" * 64}, CONDITIONS[1])},
        {"offences": ("ILLEGAL_ACCESS",)},
        {"offences": ("ILLEGAL_ACCESS", "LAUNDERING", "SANCTIONS_EVASION")},
        {"urgency": ("ORDINARY",)},
        {"valid_from": from_milliseconds(NOW - 1)},
        {"valid_until": from_milliseconds(NOW + 91 * DAY_MS)},
        {"signed_at": from_milliseconds(NOW - 1)},
        {"signature": "0" * 128},
    ],
)
def test_whatever_is_altered_is_refused(changes: dict[str, Any]) -> None:
    signed = accept()
    altered = StandingAcceptance.model_validate({**signed.model_dump(mode="python"), **changes})
    assert "was altered after o1 signed it" in str(refuse(altered))


def test_it_is_valid_for_the_state_only_whose_officer_has_signed() -> None:
    assert "was altered" in str(refuse(accept(), state="DE"))


def test_the_officer_must_be_in_force_under_this_key() -> None:
    assert "signed by o2, who is not an officer in force" in str(refuse(accept(officer="o2")))
    assert "a key that the register does not name for o1" in str(refuse(accept(make_signer("officer o2"))))
    assert "not an officer in force" in str(refuse(accept(), now=NOW + 91 * DAY_MS)), "the officer's entry has expired"


def test_a_revoked_officer_takes_the_acceptances_along_and_no_others() -> None:
    register = make_register()
    assert register.receive("o2", grant(register, "o2").encode(), NOW) is None
    newest = register.find_newest("o1", NOW)
    assert newest is not None
    change = revoke_officer(newest, effective_at=NOW + 1, now=NOW + 1)
    assert register.receive("o1", sign(change, REGISTRARS[0]).encode(), NOW + 1) is None
    other = accept(make_signer("officer o2"), officer="o2")
    entry, refusals = drop_refused(make_entry(accept(), other), register.find_officer, NOW + 1)
    assert entry.standing_acceptances == (other,)
    assert len(refusals) == 1


def test_one_that_is_signed_later_than_now_is_refused() -> None:
    assert refuse(accept(signed_at=NOW + CLOCK_TOLERANCE_MS)) is None
    assert "was signed later than now" in str(refuse(accept(signed_at=NOW + CLOCK_TOLERANCE_MS + 1)))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"conditions": ()}, "conditions"),
        ({"offences": ()}, "offences"),
        ({"urgency": ()}, "urgency"),
        ({"urgency": ("UNKNOWN",)}, "an unknown one is never accepted beforehand"),
        ({"offences": ("LAUNDERING", "ILLEGAL_ACCESS")}, "must be sorted"),
        ({"conditions": CONDITIONS[::-1]}, "must be sorted by code"),
        ({"valid_until": NOW}, "must be later than valid_from"),
        ({"valid_until": NOW + (ACCEPTANCE_DAYS_MAX + 1) * DAY_MS}, f"at most {ACCEPTANCE_DAYS_MAX} days"),
        ({"officer": "O 1"}, "officer"),
    ],
)
def test_what_means_everything_or_nothing_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        accept(**changes)
