"""`sharing law questions`: the questions that an officer must answer about an item."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sharing.cli.law.options import (
    AdoptedPackOption,
    DecisionTimeOption,
    DirectoryOption,
    PacksOption,
    read_decision_time,
)
from sharing.cli.shared.console import AsJson, err, out, print_json, print_labelled, print_line
from sharing.cli.shared.states import read_state
from sharing.errors import InputError
from sharing.geoip import open_geoip_lookup
from sharing.law.decision_context import DecisionContext
from sharing.law.fact_questions import read_all_facts
from sharing.law.filter import DisclosureFilter
from sharing.law.questions import find_questions, find_typical_questions
from sharing.law.questions.questionnaire import Question, Questionnaire, describe_answers
from sharing.model.countries import country_name
from sharing.model.indicator import Indicator
from sharing.model.times import to_utc_day
from sharing.packs.library import Law, find_law
from sharing.packs.signature import read_public_keys
from sharing.relevance.nexus import no_geo_lookup
from sharing.settings import Settings, load_settings


def ask_questions(
    state: Annotated[str, typer.Argument(metavar="STATE", help="The providing State, such as CH.")],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="JSON lines, one indicator per line. Default: a typical item."),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", help="A recipient; can be repeated. Default: the States that the item concerns."),
    ] = None,
    at: DecisionTimeOption = None,
    directory: DirectoryOption = None,
    packs: PacksOption = None,
    pack: AdoptedPackOption = None,
    as_json: AsJson = False,
) -> None:
    """Show which questions an officer must answer: those whose answer can change an outcome, the most decisive first.

    Without FILE: every question that the State's law can ask.
    """
    if directory is not None and file is None:
        raise InputError("--directory needs FILE: without items, every State's questions are shown")
    settings = load_settings(packs=packs, pack=pack)
    law = find_law(read_state("STATE", state), settings.packs, settings.pack, keys=read_public_keys(settings.pack_key))
    now_ms = read_decision_time(at)
    recipients = [read_state("--to", code) for code in to or ()]
    questionnaires = (
        [_ask_typical(law, recipients, now_ms)]
        if file is None
        else _ask_about_file(file, law, recipients, directory, now_ms, settings)
    )
    for title, questionnaire in questionnaires:
        if as_json:
            print_json([_to_document(question) for question in questionnaire.questions])
        else:
            _print_questionnaire(title, questionnaire)
    if not all(questionnaire.complete for _, questionnaire in questionnaires):
        err.print("the search was cut short, so some of these questions may be unnecessary")
        raise typer.Exit(1)


def _ask_typical(law: Law, recipients: list[str], now_ms: int) -> tuple[str, Questionnaire]:
    disclosure_filter = DisclosureFilter(law.pack, law.treaties, to_utc_day(now_ms), {})
    title = f"the law of {country_name(law.pack.state)} {law.pack.version}, any item"
    return title, find_typical_questions(disclosure_filter, recipients or None)


def _ask_about_file(
    file: Path, law: Law, recipients: list[str], directory: Path | None, now_ms: int, settings: Settings
) -> list[tuple[str, Questionnaire]]:
    from sharing.cli.law.explain import read_indicators  # noqa: PLC0415 files and the directory take long to import
    from sharing.cli.shared.directory_source import read_directory  # noqa: PLC0415

    locate = no_geo_lookup if settings.geoip is None else open_geoip_lookup(settings.geoip)
    items = read_indicators(file, law.pack.state)
    context = DecisionContext.open(law.pack, law.treaties, read_directory(directory, None), now_ms, locate)
    return [_ask_about_item(item, context, recipients, now_ms) for item in items]


def _ask_about_item(
    item: Indicator, context: DecisionContext, recipients: list[str], now_ms: int
) -> tuple[str, Questionnaire]:
    record = item.to_record()
    audience = context.finder.find_audience(record)
    states = recipients or [state for state, _ in audience.reasons_by_state]
    if not states:
        raise InputError(
            f"{item.id}: nothing in it points to a State, and no State has an interest; name one with --to"
        )
    known = read_all_facts(record, now_ms)
    questionnaire = find_questions(context.disclosure_filter, known, states, audience.named_by_agency)
    return f"{item.type}, {item.form}, to {', '.join(states)}", questionnaire


def _to_document(question: Question) -> dict[str, Any]:
    return {
        "fact": question.fact,
        "question": question.question,
        "citation": question.citation,
        "answers": question.answers,
        "rules": question.rules,
        "needs": question.needs,
    }


def _print_questionnaire(title: str, questionnaire: Questionnaire) -> None:
    print_line(title, style="bold")
    if not questionnaire.questions:
        print_line("no answer can change an outcome", indent=2)
    for number, question in enumerate(questionnaire.questions, 1):
        print_line(f"{number}. {question.question}", indent=2)
        print_labelled("fact", question.fact, indent=5, style="dim")
        print_labelled("law", question.citation, indent=5, style="dim")
        for outcome, answers in describe_answers(question):
            print_labelled("answers", f"{answers}: {outcome}", indent=5)
    out.print()
