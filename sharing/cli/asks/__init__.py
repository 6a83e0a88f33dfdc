"""`sharing asks`: what people of the State, and of others, are asked; and how an officer answers."""

from __future__ import annotations

import typer

from sharing.cli.asks.answer import answer_asks
from sharing.cli.asks.covers import end_covering, list_covering
from sharing.cli.asks.handle import claim_asks, pass_on_asks, unclaim_asks
from sharing.cli.asks.list_asks import list_asks
from sharing.cli.asks.show import show_asked

app = typer.Typer(name="asks", help="What a person is asked: list, show, claim, pass on, answer.", no_args_is_help=True)
app.command("list", short_help="List the open questions, the most pressing first.")(list_asks)
app.command("show", short_help="Show one question: answers, conditions, law, deadline.")(show_asked)
app.command("claim", short_help="Claim questions for half an hour, so that others see it.")(claim_asks)
app.command("unclaim", short_help="Give up a claim before it ends by itself.")(unclaim_asks)
app.command("pass-on", short_help="Pass questions on to another authority of the State.")(pass_on_asks)
app.command("answer", short_help="Answer questions, with the officer's signature.")(answer_asks)
app.command("covers", short_help="List the answers that are also given to later questions.")(list_covering)
app.command("end-cover", short_help="End an answer for later questions.")(end_covering)
