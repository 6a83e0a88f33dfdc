"""What the demo prints into a pipe: whole lines, without padding."""

from __future__ import annotations

import pytest
from rich.progress import Progress

from sharing.cli.demo import _DemoPrinter, _explain_outcome
from sharing.cli.shared.console import out
from sharing.model.recipient_terms import EVALUATION_FAILED
from sharing.model.vocabulary import Outcome
from sharing.testing.demo.conversation import ConversationStep


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([], "no rule permits it"),
        (["live_case_harm"], "not known: Would sharing it harm a live case?"),
        (
            ["minor", "live_case_harm", "collection", "character"],
            "not known: How was it obtained? Does it concern a person under 18? (and 2 more)",
        ),
        ([EVALUATION_FAILED, "minor"], "not known: Does it concern a person under 18?; evaluation failed: r"),
    ],
)
def test_what_is_not_known_is_printed_as_questions(facts: list[str], expected: str) -> None:
    undecided = [{"rule": "r", "fact": fact} for fact in facts]
    assert _explain_outcome(Outcome.WITHHOLD, {"rules": [], "undecided": undecided}) == expected


def test_lines_are_neither_padded_nor_wrapped_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    printer = _DemoPrinter(Progress(console=out, disable=True))
    long = "word " * 60 + "end"
    printer.report_step(long)
    printer.report_conversation(ConversationStep("name", "title", (long,)))
    printed = capsys.readouterr().out
    assert printed == f"· {long}\n\ntitle\n   {long}\n"
