"""What was typed into a form: read within limits, and shown again with what is wrong beside it.

A page makes a `Form`, reads its fields by the functions here, and asks `form.is_valid`; if it is not, it is rendered
again with the same object, which keeps each text as it was typed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from starlette.requests import Request

from sharing.desk.web.catalogue import _

TEXT_MAX: Final = 4_000
"""How many characters one field may have, unless its page says otherwise."""


class UploadedFile(NamedTuple):
    """A file that was sent with a form.

    Attributes:
        name: The name that the browser gives it: text of others.
        content: Its bytes.
    """

    name: str
    content: bytes


@dataclass(slots=True)
class Form:
    """The values of a form and what is wrong with them.

    Attributes:
        values: What was typed, by field; a field may have several values.
        files: The files, by field.
        errors: One sentence for each field that is wrong, in the order in which they were found. The key "" is about
            the form as a whole.
    """

    values: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, UploadedFile] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, str | Iterable[str]]) -> Form:
        """Return a form with values that nobody has typed, such as those of a draft."""
        return cls({name: [value] if isinstance(value, str) else list(value) for name, value in values.items()})

    @property
    def is_valid(self) -> bool:
        """Whether nothing is wrong."""
        return not self.errors

    def get(self, name: str, default: str = "") -> str:
        """Return what was typed into a field, unchecked: to show it again."""
        found = self.values.get(name)
        return found[0] if found else default

    def get_all(self, name: str) -> list[str]:
        """Return every value of a field, unchecked."""
        return list(self.values.get(name, ()))

    def refuse(self, name: str, sentence: str) -> None:
        """Say what is wrong with a field, and what to do; the first sentence about a field counts."""
        self.errors.setdefault(name, sentence)

    def read_text(self, name: str, *, required: str = "", length_max: int = TEXT_MAX, lines: bool = False) -> str:
        """Return the text of a field, without spaces at its ends.

        Args:
            name: The field.
            required: What is said if it is empty; "" if it may be.
            length_max: How many characters it may have.
            lines: Whether it may have several lines.
        """
        text = self.get(name).replace("\r\n", "\n").replace("\r", "\n").strip()
        if not text and required:
            self.refuse(name, required)
        elif len(text) > length_max:
            self.refuse(name, _("Shorten this to %(count)s characters or fewer.", count=format(length_max, ",")))
        elif not all(character.isprintable() or (lines and character in "\n\t") for character in text):
            self.refuse(name, _("This has characters that cannot be seen. Type it instead of pasting it."))
        return text

    def read_choice(self, name: str, allowed: Collection[str], *, required: str = "") -> str:
        """Return the one value that was chosen; "" if none was, or another than the allowed ones.

        Args:
            name: The field.
            allowed: The values that may be chosen.
            required: What is said if none was chosen; "" if none need be.
        """
        chosen = self.get(name)
        if chosen in allowed:
            return chosen
        if chosen or required:
            self.refuse(name, required or _("Choose one of the listed answers."))
        return ""

    def read_choices(self, name: str, allowed: Collection[str], *, required: str = "") -> tuple[str, ...]:
        """Return the values that were chosen, each once; nothing if one is none of the allowed ones."""
        chosen = tuple(dict.fromkeys(value for value in self.get_all(name) if value))
        if not set(chosen) <= set(allowed):
            self.refuse(name, _("Choose only listed answers."))
            return ()
        if not chosen and required:
            self.refuse(name, required)
        return chosen


def read_form(request: Request) -> Form:
    """Return the form that was posted. The middleware has read it, within limits, and has checked its token."""
    found = getattr(request.state, "form", None)
    return found if isinstance(found, Form) else Form()
