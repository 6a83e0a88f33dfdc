"""What an agency publishes: one observable of its own investigation, with the facts that a law can ask about.

The contract of the JSON form, the Avro record and the law packs. Strict: an unknown, misspelt or wrongly typed
field is an `InputError` that names it. A missing fact is UNKNOWN, and UNKNOWN is never NO; only what says which
item it is (`id`, `type`, `value`, `source.state`, `source.agency`) must be there.
"""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Self

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
from sharing.model.countries import normalise_country
from sharing.model.findings import FINDINGS
from sharing.model.record import LIST_MAX, NEXUS_MAX, SHORT_TEXT_MAX, TEXT_MAX, VERSION_MAX
from sharing.model.validation import FieldError, input_error, nearest
from sharing.model.validators import one_of
from sharing.model.values import VALUE_TYPES, normalise
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

_TRISTATE = {True: Tristate.YES, False: Tristate.NO, None: Tristate.UNKNOWN}

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)?")


def _as_tristate(value: Any) -> Any:
    return _TRISTATE[value] if value is None or isinstance(value, bool) else value


def _country(value: str) -> str:
    try:
        return normalise_country(value)
    except InputError as error:
        raise ValueError(str(error)) from None


def _instant(value: Any) -> Any:
    # pydantic would read a bare number, written as text too, as seconds since 1970.
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC_3339.fullmatch(value)):
        return value
    raise ValueError("must be a time as in RFC 3339, with a zone, such as 2026-03-01T12:00:00Z")


def _utc_milliseconds(value: datetime) -> datetime:
    try:
        utc = value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie in the years 1 to 9999 in UTC") from None
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def _uuid(value: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise ValueError("must be a UUID, such as 018f3c1e-7b1a-7c3d-8e2f-0123456789ab") from None


def _known_type(name: str) -> str:
    if name not in VALUE_TYPES:
        try:
            normalise(name, "")
        except InputError as error:
            raise ValueError(str(error)) from None
    return name


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(values))


Lax = Field(strict=False)  # JSON and YAML have no enums or tuples: their strings and lists are meant
Listed = Field(max_length=LIST_MAX)
TristateFact = Annotated[Tristate, one_of(Tristate), BeforeValidator(_as_tristate)]
Country = Annotated[str, AfterValidator(_country)]
Text = Annotated[str, Field(min_length=1, max_length=TEXT_MAX)]
ShortText = Annotated[str, Field(min_length=1, max_length=SHORT_TEXT_MAX)]
Instant = Annotated[AwareDatetime, Lax, BeforeValidator(_instant), AfterValidator(_utc_milliseconds)]


class IndicatorPart(BaseModel):
    """Base of the parts of an indicator: frozen and strict."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Source(IndicatorPart):
    """Who holds it. `officer` never leaves the State; `case` is content."""

    state: Country
    agency: ShortText
    officer: ShortText | None = None
    authority: Annotated[Authority, one_of(Authority, Authority.UNKNOWN)] = Authority.UNKNOWN
    case: ShortText | None = None


class Offence(IndicatorPart):
    """What it is about. `codes` and `max_penalty_years` are law; the tags serve interests only."""

    codes: Annotated[
        tuple[Annotated[OffenceCode, one_of(OffenceCode)], ...], Lax, Listed, AfterValidator(_distinct)
    ] = ()
    modifiers: Annotated[
        tuple[Annotated[OffenceModifier, one_of(OffenceModifier)], ...], Lax, Listed, AfterValidator(_distinct)
    ] = ()
    modus_operandi: Annotated[tuple[ShortText, ...], Lax, Listed, AfterValidator(_distinct)] = ()
    max_penalty_years: Annotated[float, Field(ge=0, le=100)] | None = None


class Grading(IndicatorPart):
    """Evaluation of source and information: Europol's 4x4, both or neither, and the Admiralty code beside it."""

    source: Annotated[SourceGrade, one_of(SourceGrade)] | None = None
    information: Annotated[int, Field(ge=1, le=4)] | None = None
    admiralty: Annotated[str, Field(pattern=r"^[A-F][1-6]$")] | None = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.source is None) != (self.information is None):
            raise ValueError("source and information are graded together, or neither is")
        return self


class Origin(IndicatorPart):
    """Another State whose information it is, and that State's consent to pass it on."""

    state: Country | None = None
    consent: TristateFact = Tristate.UNKNOWN


class Nexus(IndicatorPart):
    """A State concerned, as the agency says, and why."""

    state: Country
    reason: ShortText


def _known_findings(findings: dict[str, Tristate]) -> dict[str, Tristate]:
    for name in findings:
        if name not in FINDINGS:
            raise ValueError(f"unknown finding {name!r}{nearest(name, FINDINGS)}")
    return findings


class Indicator(IndicatorPart):
    """One observable and its facts. All times are UTC, to the millisecond."""

    id: Annotated[str, AfterValidator(_uuid)]
    version: Annotated[int, Field(ge=1, le=VERSION_MAX)] = 1
    action: Annotated[Action, one_of(Action)] = Action.PUBLISH
    reason: ShortText | None = None
    type: Annotated[ShortText, AfterValidator(_known_type)]
    value: Annotated[str, Field(min_length=1)]
    summary: Text | None = None
    source: Source
    form: Annotated[Form, one_of(Form, Form.UNKNOWN)] = Form.UNKNOWN
    offence: Offence = Offence()
    collection: Annotated[Collection, one_of(Collection, Collection.UNKNOWN)] = Collection.UNKNOWN
    secrecy_domain: TristateFact = Tristate.UNKNOWN
    personal_data: TristateFact = Tristate.UNKNOWN
    special_category: TristateFact = Tristate.UNKNOWN
    subject_class: Annotated[SubjectClass, one_of(SubjectClass, SubjectClass.UNKNOWN)] = SubjectClass.UNKNOWN
    assertion: Annotated[Assertion, one_of(Assertion, Assertion.UNKNOWN)] = Assertion.UNKNOWN
    grading: Grading = Grading()
    origin: Origin = Origin()
    handling: Annotated[tuple[Annotated[Handling, one_of(Handling)], ...], Lax, Listed, AfterValidator(_distinct)] = ()
    handling_text: Text | None = None
    tlp: Annotated[Tlp, one_of(Tlp)] | None = None
    pap: Annotated[Pap, one_of(Pap)] | None = None
    purpose: Annotated[Purpose, one_of(Purpose, Purpose.UNKNOWN)] = Purpose.UNKNOWN
    urgency: Annotated[Urgency, one_of(Urgency, Urgency.UNKNOWN)] = Urgency.UNKNOWN
    enables_request: TristateFact = Tristate.UNKNOWN
    live_case_harm: TristateFact = Tristate.UNKNOWN
    character: (
        Annotated[tuple[Annotated[Character, one_of(Character)], ...], Lax, Listed, AfterValidator(_distinct)] | None
    ) = None
    findings: Annotated[dict[str, TristateFact], AfterValidator(_known_findings)] = Field(default_factory=dict)
    nexus: Annotated[tuple[Nexus, ...], Lax, Field(max_length=NEXUS_MAX)] = ()
    observed_at: Instant | None = None
    review_at: Instant | None = None
    retain_until: Instant | None = None

    @field_validator("value")
    @classmethod
    def _normal_value(cls, value: str, info: ValidationInfo) -> str:
        if "type" not in info.data:
            return value  # the type's own check says what is wrong
        try:
            return normalise(info.data["type"], value)
        except InputError as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.action is Action.WITHDRAW and self.reason is None:
            raise FieldError("reason", "is missing, and a withdrawal needs one")
        if Handling.H3 in self.handling and self.handling_text is None:
            raise FieldError("handling_text", "is missing, and handling H3 needs it")
        if self.action is not Action.PUBLISH and self.version == 1:
            raise FieldError("version", "a supersede or withdraw raises it above 1")
        return self

    @classmethod
    def read(cls, data: dict[str, Any], *, place: str = "") -> Indicator:
        """Build from the JSON form (already parsed).

        Args:
            data: The fields; times as RFC 3339 strings or aware datetimes.
            place: Where it stands in its file, for the error.

        Raises:
            InputError: All that is wrong, in one message without any value.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise input_error(error, cls, place=place) from None

    def to_wire(self) -> dict[str, Any]:
        """Return the record that the Avro schema `Indicator` describes."""
        record = self.model_dump(mode="python")
        if self.character is not None:
            record["character"] = list(self.character)  # a tuple in a union would name its branch
        return record

    def to_json(self) -> str:
        """Return the JSON form, one line."""
        return self.model_dump_json()
