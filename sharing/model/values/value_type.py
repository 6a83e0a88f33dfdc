"""An indicator type: its name, its group, and the normaliser of its values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sharing.errors import InputError
from sharing.model.values.text import InvalidValueError, clean_text
from sharing.sentences import Sentence, get_sentence, say

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

_SHOWN_EXAMPLE_LENGTH_MAX = 100


class ValueTypeGroup(StrEnum):
    """Groups of indicator types."""

    NETWORK = "NETWORK"
    TLS = "TLS"
    FILE = "FILE"
    ACCOUNT = "ACCOUNT"
    TELECOM = "TELECOM"
    FINANCE = "FINANCE"
    PERSON = "PERSON"
    CONTENT = "CONTENT"


@dataclass(frozen=True, slots=True)
class ValueType:
    """One type of indicator.

    Attributes:
        name: Name in kebab case, as in the JSON form.
        group: Group of the type.
        expected_form: Description of the accepted form in one line, for error messages and documentation.
        example: A fictitious valid value in normal form.
        shape: Pattern that matches (with `fullmatch`) every normalised value. It is cheap but does not prove validity:
            it detects neither a wrong checksum nor an unassigned code.
        normaliser: Returns the normal form of a cleaned value, or raises ValueError. The message of an
            `InvalidValueError` may be shown; that of any other ValueError may quote the value and is dropped.
        enumerable: Whether all possible values can be enumerated, so that a keyed hash of a value does not hide it.
        max_bytes: Maximum length of a value in bytes of UTF-8.
        multiline: Whether a value may contain line feeds and tabs.
        unicode: Whether a value may contain characters outside ASCII. If not, they are refused before the normaliser
            runs, because a change of case turns some of them into ASCII letters.
    """

    name: str
    group: ValueTypeGroup
    expected_form: str
    example: str
    shape: re.Pattern[str]
    normaliser: Callable[[str], str]
    enumerable: bool = False
    max_bytes: int = 8 * 1024
    multiline: bool = False
    unicode: bool = False

    def normalise(self, value: str) -> str:
        """Return the normal form of a value.

        Raises:
            InputError: The value is not valid for this type. The message has the expected form, never the value.
        """
        reason: Sentence | str = ""
        try:
            return self.normaliser(
                clean_text(value, ascii_only=not self.unicode, max_bytes=self.max_bytes, multiline=self.multiline)
            )
        except InvalidValueError as error:
            reason = say(" (%(reason)s)", reason=get_sentence(error))
        except ValueError:
            pass  # the library's message may quote the value; the expected form is shown instead
        # Raised outside the handlers, so that no exception that quotes the value is chained to it.
        is_short = len(self.example) <= _SHOWN_EXAMPLE_LENGTH_MAX
        sentence = say(
            "is not a valid %(type)s%(reason)s; expected %(form)s%(example)s",
            type=self.name,
            reason=reason,
            form=say(self.expected_form),
            example=say(", such as %(example)s", example=self.example) if is_short else "",
        )
        raise InputError(sentence, field="value")
