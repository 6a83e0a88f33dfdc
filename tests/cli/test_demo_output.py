"""What the demo prints into a pipe: whole lines, without padding."""

from __future__ import annotations

import pytest
from rich.progress import Progress

from sharing.cli.demo import _DemoPrinter
from sharing.cli.shared.console import out
from sharing.testing.demo.conversation import ConversationStep


def test_lines_are_neither_padded_nor_wrapped_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    printer = _DemoPrinter(Progress(console=out, disable=True))
    long = "word " * 60 + "end"
    printer.report_step(long)
    printer.report_conversation(ConversationStep("name", "title", (long,)))
    printed = capsys.readouterr().out
    assert printed == f"· {long}\n\ntitle\n   {long}\n"
