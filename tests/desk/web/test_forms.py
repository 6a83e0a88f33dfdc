"""Forms: read within limits, and shown again as they were typed."""

from __future__ import annotations

from sharing.desk.web.forms import Form
from sharing.desk.web.rendering import make_environment
from sharing.desk.web.static_files import StaticFiles


def test_a_text_is_trimmed_and_kept_as_typed() -> None:
    form = Form.of({"name": "  Ada  ", "lines": " a\r\nb "})
    assert form.read_text("name") == "Ada"
    assert form.read_text("lines", lines=True) == "a\nb"
    assert form.get("name") == "  Ada  "
    assert form.is_valid


def test_a_text_that_is_empty_too_long_or_hides_something_is_refused() -> None:
    form = Form.of({"empty": " ", "long": "x" * 11, "hidden": "a\u202eb", "lines": "a\nb"})
    assert form.read_text("empty", required="Enter the name.") == ""
    form.read_text("long", length_max=10)
    form.read_text("hidden")
    form.read_text("lines")
    form.read_text("missing", required="Enter it.")
    assert list(form.errors) == ["empty", "long", "hidden", "lines", "missing"]
    assert form.errors["empty"] == "Enter the name."
    assert "10 characters" in form.errors["long"]


def test_a_choice_is_one_of_the_list_or_nothing() -> None:
    form = Form.of({"good": "a", "bad": "z", "some": ["a", "b", "a"], "wrong": ["a", "z"]})
    assert form.read_choice("good", {"a", "b"}) == "a"
    assert form.read_choice("none", {"a"}) == ""
    assert form.read_choices("some", {"a", "b"}) == ("a", "b")
    assert form.is_valid
    assert form.read_choice("bad", {"a"}) == ""
    assert form.read_choices("wrong", {"a"}) == ()
    assert form.read_choice("none", {"a"}, required="Choose one.") == ""
    assert set(form.errors) == {"bad", "wrong", "none"}


def test_the_first_sentence_about_a_field_counts() -> None:
    form = Form()
    form.refuse("x", "first")
    form.refuse("x", "second")
    assert form.errors == {"x": "first"}


TEMPLATE = """{% import "layout/components.html" as ui %}
{{ ui.error_summary(form) }}{{ ui.text_field(form, "name", "Name", hint="As in the pass.") }}
{{ ui.textarea(form, "words", "Words") }}{{ ui.radios(form, "kind", "Kind", [("a", "A"), ("b", "B", "Rarely.")]) }}
{{ ui.checkboxes(form, "more", "More", [("x", "X"), ("y", "Y")]) }}{{ ui.select(form, "list", "List", [("1", "One")]) }}
{{ ui.file_field(form, "file", "File") }}{{ ui.table("Caption", ["A", "N"], [["r", 1]], numeric=[1]) }}
{{ ui.pagination(2, 3, "/asks?page=") }}{{ ui.tag("Late", "bad") }}{{ ui.summary_list([("K", "V")]) }}
{% call ui.details("More") %}inside{% endcall %}{% call ui.warning() %}careful{% endcall %}
{{ ui.button_form("t", "/x", "Go", "secondary", {"a": 1}) }}"""


def test_components_connect_labels_hints_and_errors_with_their_fields() -> None:
    form = Form.of({"name": 'a"b', "words": "</textarea>", "kind": "b", "more": ["y"]})
    form.refuse("name", "Enter the <name>.")
    form.refuse("kind", "Choose.")
    page = make_environment(StaticFiles()).from_string(TEMPLATE).render(form=form)
    assert '<li><a href="#name">Enter the &lt;name&gt;.</a></li>' in page
    assert '<label for="name">Name</label>' in page
    assert 'value="a&#34;b"' in page
    assert 'aria-describedby="name-hint name-error" aria-invalid="true"' in page
    assert 'id="name-error"' in page
    assert "&lt;/textarea&gt;</textarea>" in page
    assert '<input type="radio" id="kind" name="kind" value="a">' in page  # where the link of the summary leads
    assert 'value="b" checked aria-describedby="kind-2-hint"' in page
    assert 'value="y" checked' in page
    assert '<td class="number">1</td>' in page
    assert 'href="/asks?page=1"' in page
    assert 'href="/asks?page=3"' in page
    assert '<input type="hidden" name="csrf" value="t">' in page
    ids = [part.split('"')[0] for part in page.split(' id="')[1:]]
    assert len(ids) == len(set(ids))
