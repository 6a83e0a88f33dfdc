"""Text of others on pages: nothing of it is executed, and nothing of it is unseen (CWE-79, CWE-1007)."""

from __future__ import annotations

import html
import os
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment
from markupsafe import Markup

from sharing.desk.web.catalogue import translate, translate_plural
from sharing.desk.web.plain_text import MARK, to_plain
from sharing.desk.web.rendering import make_environment
from sharing.desk.web.static_files import StaticFiles
from tests.desk.asgi import open_desk
from tests.desk.web.sample_pages import list_routes

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "200"))

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; alert(1); '",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "</textarea><script>alert(1)</script>",
    "<!-- --><svg/onload=alert(1)>",
    "%(count)s%(x)s%s%",
    "abc\u202ecba",
    "pay\u200bpal",
    "\u2066x\u2069",
    "\x1b[2J\x1b[31mred",
    "a\x00b\x07c\x7f\x9b",
    "z" + "\u0301" * 50,
    "\U000e0041\U000e0042",
    "\u3164\u115f",
]

text_of_others = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60))


@pytest.fixture(scope="module")
def environment() -> Environment:
    made = make_environment(StaticFiles())
    made.loader = DictLoader(
        {
            "body": "<p>{{ text }}</p>",
            "attribute": '<a title="{{ text }}">x</a>',
            "message": '<p>{{ _("by %(who)s", who=text) }}</p>',
            "mixed": '<p>{{ _("From an item of %(state)s, received %(at)s.", state=text, at=at) }}</p>',
            "macro": "{% macro show(value) %}<b>{{ value }}</b>{% endmacro %}<p>{{ show(text) }}</p>",
            "joined": "<p>{{ [text, text]|join(' ') }}</p>",
            "concatenated": '<p>{{ "a" ~ text }}</p>',
        }
    )
    return made


def _is_visible(text: str) -> bool:
    return all(
        character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        for character in text
    )


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    text=text_of_others,
    template=st.sampled_from(["body", "attribute", "message", "mixed", "macro", "joined", "concatenated"]),
)
def test_what_a_template_prints_is_escaped_and_seen(environment: Environment, text: str, template: str) -> None:
    page = environment.get_template(template).render(text=text, at=Markup("<time>now</time>"))
    parts = {"body": ("<p>", "</p>"), "attribute": ('<a title="', '">x</a>'), "message": ("<p>by ", "</p>"),
             "mixed": ("<p>From an item of ", ", received <time>now</time>.</p>"), "macro": ("<p><b>", "</b></p>"),
             "joined": ("<p>", "</p>"), "concatenated": ("<p>a", "</p>")}  # fmt: skip
    before, after = parts[template]
    assert page.startswith(before)
    assert page.endswith(after)
    inside = page[len(before) : len(page) - len(after)]
    assert not set("<>\"'") & set(inside)
    assert _is_visible(html.unescape(inside))


@settings(max_examples=EXAMPLES, deadline=None)
@given(text=st.text())
def test_plain_text_is_visible_keeps_what_is_and_is_stable(text: str) -> None:
    shown = to_plain(text)
    assert _is_visible(shown)
    assert to_plain(shown) == shown
    if text.isprintable() and text.isascii():
        assert shown == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Müller, 東京, Ελλάδα, عربي, नमस्ते, ไทย", "Müller, 東京, Ελλάδα, عربي, नमस्ते, ไทย"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("a\u202e\u202db", f"a{MARK}b"),
        ("a\u00a0b", "a b"),
        ("\x1b[31m", f"{MARK}[31m"),
    ],
)
def test_words_of_any_language_stay_and_hidden_characters_are_marked(text: str, shown: str) -> None:
    assert to_plain(text) == shown


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_typed_is_never_executed(text: str) -> None:
    with open_desk(list_routes) as desk:
        page = desk.post("/sample/repeat", {"text": text, "next": text}).text
    body = page[page.index("<main") : page.index("</main>")]
    heading = body[body.index("<h1>") + 4 : body.index("</h1>")]
    assert not set("<>\"'") & set(heading)
    assert _is_visible(html.unescape(heading))
    title = page[page.index("<title>") + 7 : page.index("</title>")]
    assert "<" not in title


def test_messages_take_percent_signs_of_others_as_they_are(untranslated: set[str]) -> None:
    assert translate("Ask of %(state)s", state="%(x)s %d") == "Ask of %(x)s %d"
    assert translate_plural("%(count)s Ask", "%(count)s Asks", 2) == "2 Asks"
    assert translate("100 %") == "100 %"
    untranslated.clear()
