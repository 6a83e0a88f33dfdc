"""What other packages of the project say, as a page shows it: in its language, with the names of States.

Instants are shown in the officer's zone.
"""

from __future__ import annotations

from markupsafe import Markup

from sharing.desk.web.catalogue import translate
from sharing.desk.web.code_words import show_states
from sharing.desk.web.instants import show_instant
from sharing.desk.web.plain_text import to_plain
from sharing.sentences import SaidInstant, SaidStates, Sentence


def show_said(text: str) -> str:
    """Return what was said, for a page.

    Args:
        text: A `Sentence`, which is translated; or another text, which is marked as English, because it is in no
            catalogue.
    """
    if isinstance(text, Sentence):
        return translate(_localise(text))
    return Markup('<span lang="en">{}</span>').format(to_plain(text)) if text else ""


def _localise(sentence: Sentence) -> Sentence:
    """Return a sentence whose instants are in the officer's zone, and whose States have their names."""
    values = {name: _localise_value(value) for name, value in sentence.values.items()}
    return Sentence(sentence.template, **values) if values else sentence


def _localise_value(value: object) -> object:
    if isinstance(value, SaidInstant):
        return show_instant(value.at)
    if isinstance(value, SaidStates):
        return show_states(value.codes)
    return _localise(value) if isinstance(value, Sentence) else value
