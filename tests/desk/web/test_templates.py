"""All templates: they compile, mark every word for translation, and have nothing inline that the policy forbids."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from jinja2 import Environment, nodes

from sharing.desk.web.rendering import make_environment
from sharing.desk.web.static_files import StaticFiles

ENVIRONMENT = make_environment(StaticFiles())
TEMPLATES = ENVIRONMENT.list_templates()
PAGES = [name for name in TEMPLATES if name.endswith(".html")]

SPOKEN_ATTRIBUTES = {"alt", "aria-label", "placeholder", "title", "label", "summary"}
JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
WORD = re.compile(r"[^\W\d_]{2,}")


def read(name: str) -> str:
    source, _, _ = ENVIRONMENT.loader.get_source(ENVIRONMENT, name)  # type: ignore[union-attr]
    return str(source)


class Reader(HTMLParser):
    """Collects what a person would read or hear of a page, and its attributes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        for name, value in attrs:
            self.attributes.append((tag, name, value or ""))
            if name in SPOKEN_ATTRIBUTES and WORD.search(value or ""):
                self.words.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        is_part_of_a_tag = '="' in data  # of a macro that makes attributes
        if WORD.search(data) and not is_part_of_a_tag and not {"kbd", "code", "style", "script"} & set(self._open):
            self.words.append(data.strip())


def read_page(name: str) -> Reader:
    reader = Reader()
    reader.feed(JINJA.sub(" ", read(name)))
    return reader


def find_unmarked(environment: Environment, source: str) -> Iterator[str]:
    """Yield the literals that a template prints, or gives to a component, without marking them for translation."""
    tree = environment.parse(source)
    shown: list[nodes.Node] = [node for output in tree.find_all(nodes.Output) for node in output.nodes]
    for call in tree.find_all(nodes.Call):
        if (
            isinstance(call.node, nodes.Getattr)
            and isinstance(call.node.node, nodes.Name)
            and call.node.node.name == "ui"
        ):
            shown += [
                *call.args,
                *(keyword.value for keyword in call.kwargs if keyword.key in {"hint", "empty", "label"}),
            ]
    for node in shown:
        yield from _find_literals(node)


def _find_literals(node: nodes.Node) -> Iterator[str]:
    if isinstance(node, nodes.Call):
        name = node.node.name if isinstance(node.node, nodes.Name) else ""
        if name not in {"_", "ngettext", "asset"} and not isinstance(node.node, nodes.Getattr):
            for argument in node.args:
                yield from _find_literals(argument)
    elif isinstance(node, nodes.Const):
        if isinstance(node.value, str) and re.search(r"[A-Z][a-z]+|[a-z] [a-z]", node.value) and "=" not in node.value:
            yield node.value
    elif isinstance(node, (nodes.CondExpr, nodes.Concat, nodes.List, nodes.Tuple, nodes.Add)):
        for child in node.iter_child_nodes():
            yield from _find_literals(child)


def test_there_are_templates() -> None:
    assert "layout/page.html" in PAGES


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_compiles(name: str) -> None:
    ENVIRONMENT.get_template(name)


@pytest.mark.parametrize("name", PAGES)
def test_every_word_of_a_template_is_marked_for_translation(name: str) -> None:
    assert read_page(name).words == []
    assert list(find_unmarked(ENVIRONMENT, read(name))) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_template_has_nothing_inline_and_nothing_from_elsewhere(name: str) -> None:
    source = read(name)
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)", source)
    for tag, attribute, value in read_page(name).attributes:
        assert not attribute.startswith(("on", "hx-on", "hx-vals", "hx-vars")), (tag, attribute)
        assert attribute != "style", tag
        if attribute in {"src", "href", "action", "hx-get", "hx-post", "formaction"}:
            assert not re.match(r"\s*(?:[a-z]+:|//)", value), value
        assert "js:" not in value


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_never_prints_text_as_markup(name: str) -> None:
    tree = ENVIRONMENT.parse(read(name))
    used = {node.name for node in tree.find_all(nodes.Filter)}
    assert not used & {"safe", "e", "escape", "forceescape", "tojson", "xmlattr"}
    assert not list(tree.find_all(nodes.ScopedEvalContextModifier))
    if (
        "as_typed" in used
    ):  # what it prints is escaped, and may hide something: only in fields of the writer's own words
        assert all(re.match(r"\"|</textarea>", end) for end in re.findall(r"as_typed \}\}(.{1,11})", read(name)))


@pytest.mark.parametrize("name", PAGES)
def test_every_form_that_changes_something_has_the_token(name: str) -> None:
    for form in re.findall(r"<form\b.*?</form>", read(name), re.DOTALL):
        if 'method="post"' in form:
            assert re.search(r"\bcsrf\b", form)


def test_the_checks_find_what_they_look_for() -> None:
    reader = Reader()
    reader.feed(JINJA.sub(" ", '<p>Hello</p><img alt="A cat"><p>{{ _("x") }}</p><kbd>Enter</kbd>'))
    assert reader.words == ["Hello", "A cat"]
    source = '{{ "Some text" }}{{ ui.button("Send it") }}{{ ui.text_field(form, "name", _("Name"), hint="As in it") }}'
    assert list(find_unmarked(ENVIRONMENT, source)) == ["Some text", "Send it", "As in it"]
