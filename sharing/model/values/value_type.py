"""What a type of indicator is: its name, its group, and the rule that brings a value into its normal form."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sharing.errors import InputError
from sharing.model.values.text import Refused, tidy

if TYPE_CHECKING:
    import re
    from collections.abc import Callable

_LONGEST_EXAMPLE_SHOWN = 100


class ValueTypeGroup(StrEnum):
    """The families of indicator types."""

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
        name: Kebab case, as in the JSON form.
        group: Its family.
        form: One line that describes the accepted form, for error messages and documentation.
        example: A fictitious valid value in normal form.
        shape: Matches (with `fullmatch`) every normalised value. It is cheap, and it does not prove validity:
            a checksum or an unassigned code is not seen.
        rule: Brings a tidied value into the normal form, or raises ValueError (`Refused` with a reason that
            may be shown; the message of any other ValueError may quote the value and is dropped).
        enumerable: Whether all possible values can be tried, so that a keyed hash of one hides nothing.
        max_bytes: Longest value in bytes of UTF-8.
        multiline: Whether line feeds and tabs belong in the value.
        unicode: Whether characters outside ASCII belong in the value. Where they do not, they are refused
            before the rule runs: changing the case of some of them would give ASCII letters.
    """

    name: str
    group: ValueTypeGroup
    form: str
    example: str
    shape: re.Pattern[str]
    rule: Callable[[str], str]
    enumerable: bool = False
    max_bytes: int = 8 * 1024
    multiline: bool = False
    unicode: bool = False

    def normalise(self, value: str) -> str:
        """Return the normal form of a value.

        Raises:
            InputError: The value is not of this type. The message tells the expected form, never the value.
        """
        reason = ""
        try:
            return self.rule(
                tidy(value, ascii_only=not self.unicode, max_bytes=self.max_bytes, multiline=self.multiline)
            )
        except Refused as refusal:
            reason = f" ({refusal})"
        except ValueError:
            pass  # the library's sentence may quote the value; the form says what is expected
        # Raised outside the handlers, so that no exception that quotes the value is chained to this one.
        example = f", such as {self.example}" if len(self.example) <= _LONGEST_EXAMPLE_SHOWN else ""
        raise InputError(f"is not a valid {self.name}{reason}; expected {self.form}{example}", field="value")
