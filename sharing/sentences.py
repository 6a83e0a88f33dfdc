"""Sentences that keep of which template and values they are made, so that a page can say them in another language.

A sentence is a text in English, and used as one: in messages of errors, in logs, on the command line. What shows it to
people in another language translates its template, and puts the values into that.
"""

from __future__ import annotations

from typing import Any, Self


class Sentence(str):  # noqa: SLOT000 a copy of it, such as by pickle, keeps its template by `__dict__`
    """A text in English, with its template and the values in it.

    Attributes:
        template: The text, with `%(name)s` for each value.
        values: The values by their names: codes, ids, numbers, or sentences.
    """

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Self:
        """Return the sentence that a template and values make."""
        made = super().__new__(cls, template % values if values else template)
        made.template, made.values = template, values
        return made


class SaidInstant(str):  # noqa: SLOT000 a copy of it, such as by pickle, keeps its instant by `__dict__`
    """An instant in a sentence: its text for logs and the command line, which a page shows in the reader's zone.

    Attributes:
        at: In UTC milliseconds.
    """

    at: int

    def __new__(cls, text: str, at: int = 0) -> Self:
        """Return the instant `at`, in UTC milliseconds, whose text is in RFC 3339 form."""
        made = super().__new__(cls, text)
        made.at = at
        return made


class SaidStates(str):  # noqa: SLOT000 a copy of it, such as by pickle, keeps its codes by `__dict__`
    """States in a sentence: their codes for logs and the command line, which a page shows with their names.

    Attributes:
        codes: The codes.
    """

    codes: tuple[str, ...]

    def __new__(cls, *codes: str) -> Self:
        """Return the States with these codes, in this order."""
        made = super().__new__(cls, ", ".join(codes))
        made.codes = codes
        return made


say = Sentence
"""Makes a sentence. By this name `sharing.tools.desk_messages` finds what is to be translated."""


def get_sentence(error: BaseException) -> str:
    """Return what an error says, as the sentence that it was raised with."""
    sentence = error.args[0] if error.args else ""
    return sentence if isinstance(sentence, str) else str(error)
