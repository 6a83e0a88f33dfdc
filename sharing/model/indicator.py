"""The indicator: one observable from an agency's own investigation, with the facts that laws evaluate.

This model is the contract of the JSON form, the Avro record and the law packs. It is strict: an unknown, misspelt or
wrongly typed field is an `InputError` that names the field. A missing fact is UNKNOWN, and UNKNOWN is never NO. Only
the identifying fields (`id`, `type`, `value`, `source.state`, `source.agency`) are required.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from sharing.errors import InputError
from sharing.model.field_validators import CountryCode, make_enum_validator, make_pattern_validator
from sharing.model.findings import FINDINGS
from sharing.model.indicator_record import LIST_MAX, NEXUS_MAX, NIL_UUID, SHORT_TEXT_MAX, TEXT_MAX, VERSION_MAX
from sharing.model.validation_errors import FieldError, suggest_nearest, to_input_error
from sharing.model.values import VALUE_TYPES, normalise_value
from sharing.model.vocabulary import (
    Action,
    Assertion,
    Authority,
    Character,
    Collection,
    Form,
    Handling,
    OffenceCode,
    OffenceModifier,
    Pap,
    Purpose,
    SourceGrade,
    SubjectClass,
    Tlp,
    Tristate,
    Urgency,
)
from sharing.sentences import get_sentence, say

_TRISTATE = {True: Tristate.YES, False: Tristate.NO, None: Tristate.UNKNOWN}

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)?")


def _to_tristate(value: Any) -> Any:
    return _TRISTATE[value] if value is None or isinstance(value, bool) else value


def _check_rfc_3339(value: Any) -> Any:
    # pydantic would read a bare number, even as text, as seconds since 1970.
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC_3339.fullmatch(value)):
        return value
    raise ValueError(say("must be an RFC 3339 time with a time zone, such as 2026-03-01T12:00:00Z"))


def _truncate_to_utc_milliseconds(value: datetime) -> datetime:
    try:
        utc = value.astimezone(UTC)
    except OverflowError:
        raise ValueError(say("must be in the years 1 to 9999 in UTC")) from None
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def _normalise_uuid(value: str) -> str:
    try:
        identity = str(uuid.UUID(value))
    except ValueError:
        raise ValueError(say("must be a UUID, such as 018f3c1e-7b1a-7c3d-8e2f-0123456789ab")) from None
    if identity == NIL_UUID:
        raise ValueError(say("must not be all zeros: that identifies no item; give each item a UUID of its own"))
    return identity


def _check_known_type(name: str) -> str:
    if name not in VALUE_TYPES:
        try:
            normalise_value(name, "")
        except InputError as error:
            raise ValueError(get_sentence(error)) from None
    return name


def _drop_repeats(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


T = TypeVar("T")

Coerced = Field(strict=False)  # converts strings and lists: JSON and YAML have neither enums nor tuples
UniqueTuple = Annotated[tuple[T, ...], Coerced, Field(max_length=LIST_MAX), AfterValidator(_drop_repeats)]
TristateFact = Annotated[Tristate, make_enum_validator(Tristate), BeforeValidator(_to_tristate)]
Text = Annotated[str, Field(min_length=1, max_length=TEXT_MAX)]
ShortText = Annotated[str, Field(min_length=1, max_length=SHORT_TEXT_MAX)]
Instant = Annotated[
    AwareDatetime, Coerced, BeforeValidator(_check_rfc_3339), AfterValidator(_truncate_to_utc_milliseconds)
]


class RecordModel(BaseModel):
    """Base of the models of records: frozen and strict."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Source(RecordModel):
    """Who holds the information. `officer` never leaves the State; `case` is content."""

    state: CountryCode
    agency: ShortText
    officer: ShortText | None = None
    authority: Annotated[Authority, make_enum_validator(Authority, Authority.UNKNOWN)] = Authority.UNKNOWN
    case: ShortText | None = None


class Offence(RecordModel):
    """The offence. Laws evaluate codes, maximum penalty and organised group; `modus_operandi` serves interests only."""

    codes: UniqueTuple[Annotated[OffenceCode, make_enum_validator(OffenceCode)]] = ()
    modifiers: UniqueTuple[Annotated[OffenceModifier, make_enum_validator(OffenceModifier)]] = ()
    modus_operandi: UniqueTuple[ShortText] = ()
    max_penalty_years: Annotated[float, Field(ge=0, le=100)] | None = None
    organised_group: TristateFact = Tristate.UNKNOWN


class Grading(RecordModel):
    """Evaluation of source and information: Europol's 4x4 (both or neither), and separately the Admiralty code."""

    source: Annotated[SourceGrade, make_enum_validator(SourceGrade)] | None = None
    information: Annotated[int, Field(ge=1, le=4)] | None = None
    admiralty: (
        Annotated[str, make_pattern_validator("[A-F][1-6]", "must be a letter A to F and a digit 1 to 6, such as B2")]
        | None
    ) = None

    @model_validator(mode="after")
    def _check_both_or_neither(self) -> Self:
        if (self.source is None) != (self.information is None):
            raise ValueError(say("source and information must be graded together, or not at all"))
        return self


class Origin(RecordModel):
    """Another State to which the information belongs, and its consent to forward it."""

    state: CountryCode | None = None
    consent: TristateFact = Tristate.UNKNOWN
    consent_obtainable: TristateFact = Tristate.UNKNOWN


class Nexus(RecordModel):
    """A State that the agency states is concerned, and why."""

    state: CountryCode
    reason: ShortText


def _check_known_findings(findings: dict[str, Tristate]) -> dict[str, Tristate]:
    for name in findings:
        if name not in FINDINGS:
            raise ValueError(
                say("unknown finding %(name)s%(hint)s", name=repr(name), hint=suggest_nearest(name, FINDINGS))
            )
    return findings


class Indicator(RecordModel):
    """One observable and its facts. Times are in UTC with millisecond precision."""

    id: Annotated[str, AfterValidator(_normalise_uuid)]
    version: Annotated[int, Field(ge=1, le=VERSION_MAX)] = 1
    action: Annotated[Action, make_enum_validator(Action)] = Action.PUBLISH
    reason: ShortText | None = None
    type: Annotated[ShortText, AfterValidator(_check_known_type)]
    value: Annotated[str, Field(min_length=1)]
    summary: Text | None = None
    source: Source
    form: Annotated[Form, make_enum_validator(Form, Form.UNKNOWN)] = Form.UNKNOWN
    offence: Offence = Offence()
    collection: Annotated[Collection, make_enum_validator(Collection, Collection.UNKNOWN)] = Collection.UNKNOWN
    secrecy_domain: TristateFact = Tristate.UNKNOWN
    personal_data: TristateFact = Tristate.UNKNOWN
    special_category: TristateFact = Tristate.UNKNOWN
    subject_class: Annotated[SubjectClass, make_enum_validator(SubjectClass, SubjectClass.UNKNOWN)] = (
        SubjectClass.UNKNOWN
    )
    assertion: Annotated[Assertion, make_enum_validator(Assertion, Assertion.UNKNOWN)] = Assertion.UNKNOWN
    grading: Grading = Grading()
    origin: Origin = Origin()
    handling: UniqueTuple[Annotated[Handling, make_enum_validator(Handling)]] = ()
    handling_text: Text | None = None
    tlp: Annotated[Tlp, make_enum_validator(Tlp)] | None = None
    pap: Annotated[Pap, make_enum_validator(Pap)] | None = None
    purpose: Annotated[Purpose, make_enum_validator(Purpose, Purpose.UNKNOWN)] = Purpose.UNKNOWN
    urgency: Annotated[Urgency, make_enum_validator(Urgency, Urgency.UNKNOWN)] = Urgency.UNKNOWN
    urgency_reason: ShortText | None = None
    minor: TristateFact = Tristate.UNKNOWN
    exculpatory: TristateFact = Tristate.UNKNOWN
    us_person: TristateFact = Tristate.UNKNOWN
    enables_request: TristateFact = Tristate.UNKNOWN
    live_case_harm: TristateFact = Tristate.UNKNOWN
    character: UniqueTuple[Annotated[Character, make_enum_validator(Character)]] | None = None
    findings: Annotated[dict[str, TristateFact], AfterValidator(_check_known_findings)] = Field(default_factory=dict)
    nexus: Annotated[tuple[Nexus, ...], Coerced, Field(max_length=NEXUS_MAX)] = ()
    observed_at: Instant | None = None
    review_at: Instant | None = None
    retain_until: Instant | None = None

    @field_validator("value")
    @classmethod
    def _normalise_value(cls, value: str, info: ValidationInfo) -> str:
        if "type" not in info.data:
            return value  # the validator of the type has already reported the error
        try:
            return normalise_value(info.data["type"], value)
        except InputError as error:
            raise ValueError(get_sentence(error)) from None

    @model_validator(mode="after")
    def _check_dependent_fields(self) -> Self:
        if self.action is Action.WITHDRAW and self.reason is None:
            raise FieldError("reason", say("is missing, and is required for a withdrawal"))
        if Handling.H3 in self.handling and self.handling_text is None:
            raise FieldError("handling_text", say("is missing, and is required with handling code H3"))
        if self.action is not Action.PUBLISH and self.version == 1:
            raise FieldError("version", say("must be above 1 for a supersede or withdraw"))
        return self

    @classmethod
    def parse(cls, data: dict[str, Any], *, location: str = "") -> Indicator:
        """Build an indicator from the decoded JSON form.

        Args:
            data: The fields; times as RFC 3339 strings or aware datetimes.
            location: Location in the input file, for the error.

        Raises:
            InputError: The data is not valid. One message lists all problems, without any value.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise to_input_error(error, cls, location=location) from None

    def to_record(self) -> dict[str, Any]:
        """Return the record that the Avro schema `Indicator` describes."""
        record = self.model_dump(mode="python")
        if self.character is not None:
            record["character"] = list(self.character)  # fastavro reads a tuple in a union as (branch name, value)
        return record

    def to_json(self) -> str:
        """Return the JSON form on one line."""
        return self.model_dump_json()
