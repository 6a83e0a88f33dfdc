"""A refusal names the part of an answer that it is about; the command line says its option, the desk its label."""

from __future__ import annotations

from typing import Any

import pytest

from sharing.cli.shared.option_names import RULING_OPTIONS, naming_options
from sharing.console.answer_checks import AnswerParts, RulingRefusedError, require_answered
from sharing.console.answering import make_passing_on, require_coverable, require_text_length
from sharing.console.connection import ConsoleConnection
from sharing.console.ruled_facts import collect_facts, make_fact, parse_facts
from sharing.conversation.vocabulary import Answer, AskKind, Refusal
from sharing.errors import InputError
from sharing.model.times import DAY_MS
from sharing.model.vocabulary import Authority
from sharing.rulings.vocabulary import RefusalGround
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from tests.conversation.people import held, withheld
from tests.desk.asgi import NOW, STATE, make_officer
from tests.desk.board.board_world import ROLE, BoardWorld

CONSOLE = ConsoleConnection(Settings(), STATE, "127.0.0.1:1", {}, SINGLE_OBJECT_FRAMING)


class Anna:
    id = "anna"
    officer = make_officer("anna", roles=(ROLE,)).to_officer()


def refuse(kind: AskKind, **parts: Any) -> InputError:
    world = BoardWorld()
    terms = held("CH") if kind is AskKind.APPROVE else withheld("CH", "form")
    ask = world.publish(1, terms).find_ask(kind)
    found = world.find(ask.id)
    assert found is not None
    with pytest.raises(InputError) as caught:
        require_answered(CONSOLE, [found], Anna(), AnswerParts(**parts), NOW)
    return caught.value


@pytest.mark.parametrize(
    ("kind", "parts", "field"),
    [
        (AskKind.APPROVE, {"answer": Answer.REFUSED}, "grounds"),
        (AskKind.APPROVE, {"answer": Answer.APPROVED, "grounds": (RefusalGround.DISCRETION,)}, "grounds"),
        (AskKind.APPROVE, {"answer": Answer.REFUSED, "grounds": (RefusalGround.OWN_LAW,)}, "own_rule"),
        (AskKind.APPROVE, {"answer": Answer.ACCEPTED}, "answer"),
        (AskKind.APPROVE, {"answer": Answer.APPROVED, "relaxed": ()}, "relaxed"),
        (AskKind.SUPPLY_FACT, {"answer": Answer.SUPPLIED}, "facts"),
        (AskKind.SUPPLY_FACT, {"answer": Answer.SUPPLIED, "facts": (make_fact("minor", ["NO"]),)}, "facts"),
    ],
)
def test_a_refusal_names_its_field_and_no_option(kind: AskKind, parts: dict[str, Any], field: str) -> None:
    error = refuse(kind, **parts)
    assert (error.field, "--" in str(error)) == (field, False), error


def test_the_command_line_puts_its_option_before_the_sentence() -> None:
    for field, option in RULING_OPTIONS.items():
        with pytest.raises(InputError, match=f"^{option}: what is wrong$") as caught, naming_options():
            raise InputError("what is wrong", field=field)
        assert caught.value.field == field
    with pytest.raises(InputError, match=r"^what is wrong$"), naming_options():
        raise InputError("what is wrong", field="another")
    with pytest.raises(InputError, match=r"^--text: said already$"), naming_options():
        raise InputError("--text: said already", field="text")


def test_what_the_conversation_would_refuse_says_why_as_a_code() -> None:
    world = BoardWorld()
    ask = world.publish(1, held("CH")).find_ask(AskKind.APPROVE)
    found = world.find(ask.id)
    assert found is not None
    with pytest.raises(RulingRefusedError) as caught:
        require_answered(CONSOLE, [found], Anna(), AnswerParts(Answer.APPROVED), found.ask.closes_at)
    assert (caught.value.ask, caught.value.refusal, caught.value.field) == (ask.id, Refusal.EXPIRED, "asks")


def test_facts_texts_and_times_name_their_fields() -> None:
    world = BoardWorld()
    found = world.find(world.publish(1, withheld("CH", "form")).find_ask(AskKind.SUPPLY_FACT).id)
    assert found is not None
    cases: list[tuple[Any, str]] = [
        (lambda: parse_facts(["minor"]), "facts"),
        (lambda: parse_facts(["minor=NO", "minor=YES"]), "facts"),
        (lambda: make_fact("minor", ["A SECRET"]), "facts"),
        (lambda: collect_facts([make_fact("minor", ["NO"])] * 2), "facts"),
        (lambda: require_text_length("x" * 2_001), "text"),
        (lambda: make_passing_on([found], Authority.UNKNOWN), "authority"),
        (lambda: require_coverable(found, NOW + DAY_MS, AnswerParts(Answer.SUPPLIED), NOW), "covers_until"),
        (lambda: require_coverable(found, NOW, AnswerParts(Answer.SUPPLIED), NOW), "covers_until"),
    ]
    for act, field in cases:
        with pytest.raises(InputError) as caught:
            act()
        assert (caught.value.field, "SECRET" in str(caught.value)) == (field, False), caught.value
    assert [fact.values for fact in parse_facts(["form= INFORMATION "])] == [("INFORMATION",)]
