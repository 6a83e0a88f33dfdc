"""An item that an officer has not published yet: what was typed, what was answered, and the id that it will have."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import Field, ValidationError

from sharing.clients.publisher import new_id
from sharing.desk.intake.answers import TOGETHER, state_answers
from sharing.model.indicator import Indicator
from sharing.model.strict_model import StrictModel
from sharing.model.validation_errors import describe_error
from sharing.model.vocabulary import Action, Urgency

STATED: Final = "stated by the publishing officer"
"""Why an item concerns a State, where the officer says nothing more."""

TYPED_FIELDS: Final = (
    "summary", "handling_text", "tlp", "pap", "urgency", "urgency_reason", "observed_at", "retain_until",
)  # fmt: skip
"""Fields of an item that a page asks for as they are."""

_SEPARATORS: Final = re.compile(r"[\s,;]+")
_INDEX: Final = re.compile(r"\[\d+\]")
_Text = Annotated[str, Field(max_length=100_000)]
_Names = tuple[str, ...]


class DraftStage(StrEnum):
    """How far an item is.

    Attributes:
        OPEN: It is being written.
        SENDING: It was about to be sent: whether it was is not known, and sending it again is safe.
        SENT: The broker has confirmed it.
    """

    OPEN = "OPEN"
    SENDING = "SENDING"
    SENT = "SENT"


class ItemBasics(StrictModel):
    """What is typed about an item, as it was typed: it may be wrong.

    Attributes:
        type, value, summary, case, handling_text, tlp, pap, urgency, urgency_reason, observed_at, retain_until: As in
            the item; "" is not stated.
        nexus: Codes of the States that it concerns, with commas or spaces between.
        nexus_reason: Why it concerns them.
        modus_operandi: Tags for interests, with commas between.
        handling: Handling codes.
    """

    type: _Text = ""
    value: _Text = ""
    summary: _Text = ""
    case: _Text = ""
    nexus: _Text = ""
    nexus_reason: _Text = ""
    modus_operandi: _Text = ""
    handling: Annotated[_Names, Field(strict=False, max_length=16)] = ()
    handling_text: _Text = ""
    tlp: _Text = ""
    pap: _Text = ""
    urgency: _Text = ""
    urgency_reason: _Text = ""
    observed_at: _Text = ""
    retain_until: _Text = ""


class ItemDraft(StrictModel):
    """The content of an UNSENT record. Its `repr` does not show what was typed.

    Attributes:
        indicator_id: Id of the item: made once, so that however often it is sent, it is one item.
        version: Its version.
        action: What its publication does: PUBLISH, or for a later version SUPERSEDE or WITHDRAW.
        reason: Why it is withdrawn; "" if it is not.
        stage: How far it is.
        basics: What was typed.
        answers: What was answered, by fact.
        declined: The facts to which the answer is "not known".
        kept: Fields of an imported item that no page asks for, as JSON.
        origin: Where it comes from, in words: "" for by hand, else the place in a file.
        sent_at: When the broker confirmed it, in UTC milliseconds; 0 before.
        decided_as: What was frozen when it was sent first, as JSON; "" before. It is sent again unchanged.
    """

    indicator_id: str
    version: int = 1
    action: Annotated[Action, Field(strict=False)] = Action.PUBLISH
    reason: _Text = Field(default="", repr=False)
    stage: Annotated[DraftStage, Field(strict=False)] = DraftStage.OPEN
    basics: ItemBasics = Field(default=ItemBasics(), repr=False)
    answers: dict[str, Annotated[_Names, Field(strict=False)]] = Field(default_factory=dict, repr=False)
    declined: Annotated[_Names, Field(strict=False)] = ()
    kept: dict[str, Any] = Field(default_factory=dict, repr=False)
    origin: str = ""
    sent_at: int = 0
    decided_as: str = Field(default="", repr=False)

    @classmethod
    def begin(cls, **fields: Any) -> Self:
        """Return a new draft with an id of its own."""
        return cls(indicator_id=new_id(), **fields)

    @property
    def is_frozen(self) -> bool:
        """Whether it was sent, or may have been: then it does not change any more."""
        return self.stage is not DraftStage.OPEN

    def answer(self, answered: dict[str, tuple[str, ...] | None]) -> Self:
        """Return the draft with answers; None is "not known"."""
        answers = {name: values for name, values in self.answers.items() if name not in answered}
        declined = [name for name in self.declined if name not in answered]
        for name, values in answered.items():
            if values is None:
                declined.append(name)
            else:
                answers[name] = values
        return self.model_copy(update={"answers": answers, "declined": tuple(declined)})

    def to_fields(self, state: str, agency: str, officer: str) -> dict[str, Any]:
        """Return the JSON form of the item.

        Args:
            state: The publishing State.
            agency: Id of the agency that publishes.
            officer: Id of the officer who publishes: he or she must not approve it.
        """
        typed = self.basics
        source = {"state": state, "agency": agency, "officer": officer}
        reasons = {each["state"]: each["reason"] for each in self.kept.get("nexus", ())}
        fields: dict[str, Any] = {
            **self.kept,
            "id": self.indicator_id,
            "version": self.version,
            "type": typed.type,
            "value": typed.value,
            "source": {**self.kept.get("source", {}), **source, **({"case": typed.case} if typed.case else {})},
            "nexus": [
                {"state": code.upper(), "reason": typed.nexus_reason or reasons.get(code.upper(), STATED)}
                for code in _split(typed.nexus)
            ],
        }
        if self.action is not Action.PUBLISH:
            fields["action"] = self.action.value
        if self.reason:
            fields["reason"] = self.reason
        fields |= {name: text for name in TYPED_FIELDS if (text := getattr(typed, name))}
        if typed.handling:
            fields["handling"] = list(typed.handling)
        tags = [tag.strip() for tag in typed.modus_operandi.split(",") if tag.strip()]
        if tags:
            fields["offence"] = {**fields.get("offence", {}), "modus_operandi": tags}
        return state_answers(fields, self.answers)


def check_draft(draft: ItemDraft, state: str, agency: str, officer: str) -> tuple[Indicator | None, dict[str, str]]:
    """Return the item of a draft, or for each field that is wrong the sentence of its validator.

    Args:
        draft: The draft.
        state: The publishing State.
        agency: Id of the agency that publishes.
        officer: Id of the officer who publishes.
    """
    wrong: dict[str, str] = {}
    item = None
    try:
        item = Indicator.model_validate(draft.to_fields(state, agency, officer))
    except ValidationError as error:
        for details in error.errors(include_url=False):  # they contain the inputs, which must not leave this function
            name, sentence = describe_error(details, Indicator)
            wrong.setdefault(_name_field(name), sentence)
    except OverflowError:
        wrong["observed_at"] = "a time is outside the years 1 to 9999"
    for name in draft.answers:
        if any(partner not in draft.answers for partner in TOGETHER.get(name, ())):
            wrong.setdefault(name, "source and information must be graded together, or not at all")
    if draft.basics.urgency == Urgency.EMERGENCY and not draft.basics.urgency_reason:
        wrong.setdefault("urgency_reason", "an emergency needs a reason; without one it is decided as ordinary")
    return (None, wrong) if wrong else (item, wrong)


def _name_field(path: str) -> str:
    """Return the field of the form for a path in the item: `nexus[0].state` is typed into `nexus`."""
    plain = _INDEX.sub("", path)
    if plain.startswith("nexus"):
        return "nexus_reason" if plain.endswith("reason") else "nexus"
    if plain.startswith("source."):
        return plain.removeprefix("source.") if plain == "source.case" else plain
    return "modus_operandi" if plain == "offence.modus_operandi" else plain


def _split(text: str) -> list[str]:
    return list(dict.fromkeys(part for part in _SEPARATORS.split(text.strip()) if part))
