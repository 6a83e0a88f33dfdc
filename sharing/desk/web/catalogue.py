"""The words of the pages in each language: gettext catalogues, read once at start and without a build step.

The key of a message is its English text. `messages/<language>/*.po` has the translations, one file for each package of
pages. A message without a translation is shown in English.
"""

from __future__ import annotations

import gettext
import io
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from markupsafe import Markup

from sharing.desk.settings import LANGUAGES
from sharing.desk.web.plain_text import to_plain
from sharing.sentences import Sentence, get_sentence

_FOLDER: Final = files("sharing.desk") / "messages"
_language: ContextVar[str] = ContextVar("desk_language", default=LANGUAGES[0])


def set_language(language: str) -> None:
    """Choose the language of the messages of this request; of the first of the catalogue, if it is unknown."""
    _language.set(language if language in LANGUAGES else LANGUAGES[0])


def get_language() -> str:
    """Return the language of the messages of this request."""
    return _language.get()


def translate(message: str, /, **values: object) -> str:
    """Return a message in the language of this request.

    Args:
        message: The English text, with `%(name)s` for each value; or a `Sentence`, which has its values: each of them
            that is a sentence is translated as well.
        values: The values, by name. The result is markup if one of them is: the others are escaped then.
    """
    if isinstance(message, Sentence) and message.values:
        translated = {
            name: translate(value) if isinstance(value, Sentence) else value for name, value in message.values.items()
        }
        return translate(message.template, **translated)
    return _fill(load_translations(_language.get()).gettext(message), values) if message else ""


def mark_message(message: str) -> str:
    """Return a message as it is: one that is translated where it is shown, marked for the catalogue where it stands."""
    return message


def translate_plural(singular: str, plural: str, count: int, /, **values: object) -> str:
    """Return a message about a number of things in the language of this request.

    Args:
        singular: The English text for one.
        plural: The English text for another number, with `%(count)s` for it.
        count: The number.
        values: Further values, as for `translate`.
    """
    text = load_translations(_language.get()).ngettext(singular, plural, count)
    return _fill(text, {"count": format_decimal(count, locale=_language.get()), **values})


def translate_error(error: BaseException) -> str:
    """Return what an error says, in the language of this request."""
    return translate(get_sentence(error))


_ = translate
ngettext = translate_plural


def _fill(text: str, values: dict[str, object]) -> str:
    """Put values into a text. Those of others are made plain, as everything that a template prints."""
    if not values:
        return text
    shown = {name: value if isinstance(value, Markup) else to_plain(value) for name, value in values.items()}
    is_markup = any(isinstance(value, Markup) for value in values.values())
    return Markup(text) % shown if is_markup else text % shown  # noqa: S704 the text is the catalogue's


def choose_language(accepted: str, default: str) -> str:
    """Return the language of the catalogue that a browser prefers (RFC 9110, 12.5.4), or the default."""
    weighed = []
    for position, part in enumerate(accepted[:200].split(",")):
        tag, _sep, parameter = part.strip().partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            weight = 0.0
        weighed.append((-weight, position, tag.split("-")[0].lower()))
    return next((tag for weight, _position, tag in sorted(weighed) if tag in LANGUAGES and weight < 0), default)


@cache
def load_translations(language: str) -> gettext.NullTranslations:
    """Return the translations of a language."""
    merged = Catalog(locale=language)
    for catalogue in read_catalogues(language):
        for message in catalogue:
            if message.id and message.string and not message.fuzzy:
                merged[message.id] = message
    compiled = io.BytesIO()
    write_mo(compiled, merged)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def read_catalogues(language: str) -> list[Catalog]:
    """Return the catalogues of a language, by the names of their files."""
    folder = _FOLDER / language
    if not folder.is_dir():
        return []
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".po")), key=lambda entry: entry.name)
    return [read_po(io.BytesIO(entry.read_bytes()), locale=language) for entry in found]
