"""What a draft consists of, in any file format: cautions, sections and fields."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sharing.followups.plain_text import make_plain, split_lines


class FollowUpKind(StrEnum):
    """What is drafted.

    Attributes:
        PRESERVATION: A request to preserve stored computer data (Budapest Convention art. 29).
        ASSISTANCE: A request for mutual legal assistance (UNCAC art. 46(15)).
        STOP_PAYMENT: A sheet with what a bank needs to stop a payment.
    """

    PRESERVATION = "PRESERVATION"
    ASSISTANCE = "ASSISTANCE"
    STOP_PAYMENT = "STOP_PAYMENT"

    @property
    def slug(self) -> str:
        """The kind as part of file names and addresses."""
        return self.value.lower().replace("_", "-")


class Blank(StrEnum):
    """Why a field is left to the drafter.

    Attributes:
        JUDGEMENT: It is a legal judgement, or a decision that a person makes.
        UNKNOWN: Neither the notice nor the bus says it.
        NOT_DISCLOSED: The providing State's law redacted it.
        SIGNATURE: Somebody signs it.
    """

    JUDGEMENT = "JUDGEMENT"
    UNKNOWN = "UNKNOWN"
    NOT_DISCLOSED = "NOT_DISCLOSED"
    SIGNATURE = "SIGNATURE"

    @property
    def words(self) -> str:
        """The beginning of the mark."""
        return _BLANK_WORDS[self]


_BLANK_WORDS = {
    Blank.JUDGEMENT: "LEGAL JUDGEMENT, TO BE COMPLETED",
    Blank.UNKNOWN: "NOT KNOWN, TO BE COMPLETED",
    Blank.NOT_DISCLOSED: "NOT DISCLOSED TO US",
    Blank.SIGNATURE: "SIGNATURE",
}


class Severity(StrEnum):
    """How severe a caution is.

    Attributes:
        CONSENT: Nothing may be sent before consent was given.
        CHECK: A person must compare it with what is planned.
        DUTY: It binds those who keep the draft.
    """

    CONSENT = "CONSENT"
    CHECK = "CHECK"
    DUTY = "DUTY"


@dataclass(frozen=True, slots=True)
class Caution:
    """What must be read before the draft is used.

    Attributes:
        severity: How severe it is.
        text: One sentence or two.
        codes: Codes of the conditions from which it follows.
    """

    severity: Severity
    text: str
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DraftField:
    """One field. Its `repr` shows no content. Make it with `fill`, `leave_blank` or `fill_or_blank`.

    Attributes:
        label: What it is.
        lines: Its text; empty if it is blank.
        exact: Whether the text must be copied as it is, such as an account number.
        blank: Why it is left to the drafter; None if it is filled.
        hint: What a drafter should write or check there.
        element: The element of the treaty that it belongs to, such as `29(2)(a)`; "" for none.
    """

    label: str
    lines: tuple[str, ...]
    exact: bool = False
    blank: Blank | None = None
    hint: str = ""
    element: str = ""

    def __repr__(self) -> str:
        return f"DraftField({self.label!r}, {'blank' if self.blank else 'filled'})"

    @property
    def mark(self) -> str:
        """The mark of a blank field: why, and what belongs there. "" if it is filled."""
        if self.blank is None:
            return ""
        return f"[{self.blank.words}{': ' if self.hint else ''}{self.hint}]"


def fill(label: str, *texts: object, element: str = "", exact: bool = False, hint: str = "") -> DraftField:
    """Return a field with texts, each made plain.

    Raises:
        ValueError: The texts are empty: such a field must be marked as blank.
    """
    lines = tuple(line for text in texts for line in ((make_plain(text),) if exact else split_lines(text)) if line)
    if not lines:
        raise ValueError(f"{label}: a field without text is blank, and must be marked")
    return DraftField(label, lines, exact=exact, hint=hint, element=element)


def leave_blank(label: str, blank: Blank, hint: str = "", *, element: str = "") -> DraftField:
    """Return a field that is left to the drafter, and marked."""
    return DraftField(label, (), blank=blank, hint=hint, element=element)


def fill_or_blank(
    label: str,
    text: object | None,
    hint: str = "",
    *,
    element: str = "",
    exact: bool = False,
    blank: Blank = Blank.UNKNOWN,
) -> DraftField:
    """Return a field with a text; if there is none, a blank one that is marked.

    Args:
        label: What it is.
        text: Its text; None or blank if it is not known.
        hint: What a drafter should write there if it is not known.
        element: The element of the treaty.
        exact: As in `DraftField`.
        blank: Why it is blank, if it is.
    """
    if text is None or not make_plain(text):
        return leave_blank(label, blank, hint, element=element)
    return fill(label, text, element=element, exact=exact)


@dataclass(frozen=True, slots=True)
class DraftSection:
    """Some fields under a heading.

    Attributes:
        title: The heading.
        fields: The fields; at least one.
        source: The article or template that asks for them, for the drafter.
    """

    title: str
    fields: tuple[DraftField, ...]
    source: str = ""


@dataclass(frozen=True, slots=True)
class FollowUpDocument:
    """A draft. It has content, so it is handled like the notice.

    Attributes:
        kind: What is drafted.
        title: Its title, without anything from the notice.
        notice: Id of the notice.
        marking: The marking on each page, such as `TLP:AMBER`; "" if none is stated.
        cautions: What must be read first, the most severe first.
        sections: The sections.
        made_at: When, in UTC milliseconds.
    """

    kind: FollowUpKind
    title: str
    notice: str
    marking: str
    cautions: tuple[Caution, ...]
    sections: tuple[DraftSection, ...]
    made_at: int

    def __repr__(self) -> str:
        return f"FollowUpDocument({self.kind}, notice {self.notice})"

    @property
    def needs_consent(self) -> bool:
        """Whether another authority must consent before anything is sent."""
        return any(caution.severity is Severity.CONSENT for caution in self.cautions)

    @property
    def blanks(self) -> int:
        """How many fields are left to the drafter."""
        return sum(field.blank is not None for section in self.sections for field in section.fields)
