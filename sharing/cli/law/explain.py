"""`sharing law explain`: why a State receives an item or not, and what would change the outcome."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, assert_never

import typer
from rich.padding import Padding
from rich.text import Text

from sharing.cli.law.explain_everyone import print_reach
from sharing.cli.law.options import (
    AdoptedPackOption,
    DecisionTimeOption,
    DirectoryOption,
    PacksOption,
    read_decision_time,
)
from sharing.cli.shared.console import AsJson, out, print_json, print_labelled, print_line
from sharing.cli.shared.directory_source import read_directory
from sharing.cli.shared.states import read_state
from sharing.console.printable import to_printable
from sharing.errors import InputError, SettingsError
from sharing.geoip import open_geoip_lookup
from sharing.ids import make_content_id
from sharing.interop.files import read_file
from sharing.interop.import_context import FileFormat, ImportContext, PublisherIdentity
from sharing.law.decision_context import DecisionContext
from sharing.law.explanation import ExplainedRule, Explanation, explain_outcomes
from sharing.model.countries import country_name
from sharing.model.decision import Decision
from sharing.model.effects import permits
from sharing.model.indicator import Indicator
from sharing.model.recipient_terms import EVALUATION_FAILED
from sharing.model.times import format_time
from sharing.model.vocabulary import Effect, Nature, Outcome
from sharing.packs.archive import find_law_version
from sharing.packs.library import Law, find_law
from sharing.packs.signature import read_public_keys
from sharing.relevance.nexus import no_geo_lookup
from sharing.settings import Settings, load_settings

FAULTY_LINES_SHOWN = 5
"""How many invalid lines an error message lists."""

_HASH_SHOWN_MAX = 70

CHANGES_SHOWN = 8
"""How many combinations of missing facts that would change an outcome are printed."""


@dataclass(frozen=True, slots=True)
class ExplainedItem:
    """An item, its decision, and the reasons."""

    indicator: Indicator
    decision: Decision
    why: list[Explanation]


def explain_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines, one indicator per line.")],
    state: Annotated[
        str | None, typer.Option("--state", help="The providing State, such as CH. Default: SHARING_STATE.")
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="Explain one receiving State, whether it is considered or not.")
    ] = None,
    everyone: Annotated[
        bool,
        typer.Option(
            "--everyone", help="Show which States could receive it and on which terms, regardless of relevance."
        ),
    ] = False,
    at: DecisionTimeOption = None,
    directory: DirectoryOption = None,
    packs: PacksOption = None,
    pack: AdoptedPackOption = None,
    version_hash: Annotated[
        str | None,
        typer.Option("--hash", help="SHA-256 of a version of the pack; versions in archive/ are found, too."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Decide on indicators without a broker; explain each outcome and which missing facts would change it."""
    settings = load_settings(packs=packs, pack=pack, state=None if state is None else read_state("--state", state))
    if settings.state is None:
        raise SettingsError("which State? give --state CH, or set SHARING_STATE")
    law = _find_law(settings.state, version_hash, settings)
    now_ms = read_decision_time(at)
    if everyone and to is not None:
        raise InputError("--everyone covers all States; leave --to out")
    only_state = None if to is None else read_state("--to", to)
    locate = no_geo_lookup if settings.geoip is None else open_geoip_lookup(settings.geoip)
    items = read_indicators(file, law.pack.state)
    context = DecisionContext.open(law.pack, law.treaties, read_directory(directory, None), now_ms, locate)
    if everyone:
        print_reach(items, context, now_ms, as_json=as_json)
        return
    for explained in explain_indicators(items, context, now_ms, only_state):
        if as_json:
            print_json(_to_document(explained))
        else:
            _print_item(explained, law)


def _find_law(state: str, version_hash: str | None, settings: Settings) -> Law:
    """Return the law that a State uses, or the version of it with a hash."""
    keys = read_public_keys(settings.pack_key)
    if version_hash is None:
        return find_law(state, settings.packs, settings.pack, keys=keys)
    try:
        return find_law_version(state, version_hash, settings.packs, settings.pack, keys=keys)
    except InputError as error:
        raise InputError(f"--hash {to_printable(version_hash)[:_HASH_SHOWN_MAX]}: {error}") from None


def _to_document(explained: ExplainedItem) -> dict[str, Any]:
    decision = json.loads(explained.decision.to_json())
    return {**decision, "why": [asdict(explanation) for explanation in explained.why]}


def read_indicators(file: Path, state: str) -> list[Indicator]:
    """Return the indicators in a file of JSON lines. An indicator without an id gets the same id each time.

    Raises:
        InputError: A line is not a valid indicator of the State; the message names the line and the reason.
    """
    ids = (make_content_id(f"{file.name}/{number}") for number in itertools.count(1))
    context = ImportContext(PublisherIdentity(state, "unnamed"), lambda _: next(ids), format=FileFormat.JSONL)
    try:
        reading = read_file(file, context)
    except InputError:
        _refuse_other_formats(file, context)
        raise
    if reading.unpublished:
        faults = [f"{entry.file}:{entry.position}: {entry.reason}" for entry in reading.unpublished]
        shown, hidden = faults[:FAULTY_LINES_SHOWN], faults[FAULTY_LINES_SHOWN:]
        raise InputError("; ".join([*shown, f"and {len(hidden)} more lines"] if hidden else shown))
    return [placed.indicator for placed in reading.indicators]


def _refuse_other_formats(file: Path, context: ImportContext) -> None:
    """Refuse a MISP or STIX file, and name the command that reads it.

    Raises:
        InputError: It is a MISP or STIX file.
    """
    for file_format in (FileFormat.MISP, FileFormat.STIX):
        try:
            read_file(file, replace(context, format=file_format))
        except InputError:
            continue
        raise InputError(
            f"{file}: is {file_format.upper()}, and this command reads JSON lines; `sharing publish {file} --dry-run`, "
            "with a profile, says who would get what"
        )


def explain_indicators(
    items: Iterable[Indicator], context: DecisionContext, now_ms: int, only_state: str | None
) -> Iterator[ExplainedItem]:
    """Explain the outcomes of indicators.

    Args:
        items: The indicators.
        context: Law and directory.
        now_ms: Time of the decision, in UTC milliseconds.
        only_state: The one State to explain, considered or not; None for all considered States.
    """
    for item in items:
        record = item.to_record()
        why = explain_outcomes(
            context.disclosure_filter, record, context.finder.find_audience(record), now_ms, only_state
        )
        yield ExplainedItem(item, context.build_decision(record, now_ms), why)


def _print_item(explained: ExplainedItem, law: Law) -> None:
    item = explained.indicator
    codes = ", ".join(item.offence.codes) or "no offence stated"
    instant = format_time(explained.decision.decided_at)
    adopted = f"pack {law.pack.code} " if law.pack.code != law.pack.state else ""
    print_line(
        f"{item.type} ({codes}), {item.form}, under the law of {country_name(law.pack.state)} "
        f"{adopted}{law.pack.version} at {instant}",
        style="bold",
    )
    if not explained.why:
        print_line(
            "no State receives it: nothing in it points to a State, and no State has declared a matching interest.",
            indent=2,
        )
    for why in explained.why:
        _print_explanation(why)
    out.print()


def _print_explanation(why: Explanation) -> None:
    title = Text(f"{why.state} {why.outcome}", style="bold")
    title.append(f": {to_printable(why.sentence)}", style="not bold")
    out.print(Padding(title, (0, 0, 0, 2), expand=False))
    for rule in why.applied:
        print_labelled(rule.effect, _describe_applied(rule), indent=4)
    for rule in why.undecided:
        print_labelled("undecided", f"{_name_rule(rule)}: {_describe_missing(rule)}", indent=4)
    _print_near_misses(why)
    for change in why.would_change[:CHANGES_SHOWN]:
        facts = " and ".join(f"{name} were {value}" for name, value in change.facts)
        print_line(f"if {facts}: {change.outcome}", indent=4)
    hidden = len(why.would_change) - CHANGES_SHOWN
    if hidden > 0:
        print_line(f"and {hidden} more combinations of missing facts that would change it; see --json", indent=4)
    if why.human:
        print_labelled("next", why.human, indent=4)


def _describe_applied(rule: ExplainedRule) -> str:
    text = f"{_name_rule(rule)}: {rule.paraphrase}"
    if rule.lifted:
        return f"lifted by its exception: {text}"
    if rule.missing:
        return f"a person decides (missing {', '.join(rule.missing)}): {text}"
    return text


def _name_rule(rule: ExplainedRule) -> str:
    """Return the citation, id and nature of a rule; a caution does not read as the law that it cites."""
    checked = "" if rule.verified else ", not checked against a text"
    if rule.nature is Nature.CAUTION:
        return f"a caution beyond {rule.citation} [{rule.id}]{checked}"
    return f"{rule.citation} [{rule.id}] ({rule.nature}{checked})"


def _describe_missing(rule: ExplainedRule) -> str:
    facts = ", ".join(fact for fact in rule.missing if fact != EVALUATION_FAILED)
    consequence = _describe_undecided_effect(rule.effect)
    failure = f"its evaluation failed, so it {consequence}; tell the maintainers of the pack that {rule.id} fails on it"
    return "; ".join([f"missing {facts}"] * bool(facts) + [failure] * (EVALUATION_FAILED in rule.missing))


def _describe_undecided_effect(effect: Effect) -> str:
    match effect:
        case Effect.DENY | Effect.APPROVAL | Effect.REDACT | Effect.CONDITION:
            return "withholds"
        case Effect.PERMIT:
            return "permits nothing"
        case Effect.OBLIGE | Effect.RECORD:
            return "adds nothing"
        case _:
            assert_never(effect)


def _print_near_misses(why: Explanation) -> None:
    """Print the permissions that fail in one requirement only, and the number of other such rules."""
    is_withheld = why.outcome == Outcome.WITHHOLD
    shown = [near for near in why.near if is_withheld and permits(near.effect)]
    for near in shown:
        text = f"{near.effect} {near.citation} [{near.id}]; not met: {near.kept_out_by}"
        print_labelled("nearly", text, indent=4, style="dim")
    hidden = len(why.near) - len(shown)
    if hidden:
        print_labelled(
            "nearly", f"{hidden} other rules fail in one requirement each; see --json", indent=4, style="dim"
        )
