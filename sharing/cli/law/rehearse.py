"""`sharing law rehearse`: show what an amendment would change before it is enacted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.law.event_source import EventSource, open_source
from sharing.cli.law.options import AdoptedPackOption, PacksOption, read_decision_time
from sharing.cli.law.rehearsal_document import to_document
from sharing.cli.law.rehearsal_pages import print_report
from sharing.cli.law.rehearsal_report import RehearsalReport
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, err, print_json, progress_bar
from sharing.cli.shared.directory_source import read_directory
from sharing.cli.shared.instants import parse_instant
from sharing.cli.shared.states import read_state
from sharing.console.printable import to_printable
from sharing.errors import InputError
from sharing.geoip import open_geoip_lookup
from sharing.kafka.tls import tls_properties
from sharing.law.decision_context import DecisionContext
from sharing.law.filter import DisclosureFilter
from sharing.law.rehearsal import Rehearsal, compare_rules, compare_supporting_data, supply_authorities
from sharing.model.countries import STATES
from sharing.model.directory import Directory
from sharing.packs.library import TREATIES_FILE, Law, adopt_law, find_law, load_law, read_law_texts
from sharing.packs.signature import read_public_keys
from sharing.relevance.nexus import no_geo_lookup
from sharing.replay.admission import AdmissionStats
from sharing.replay.avro_containers import ContainerRecorder
from sharing.replay.batch_rehearsal import BatchReplayer
from sharing.replay.recorded_batch import RecordedBatch, admit_records
from sharing.settings import Settings, load_settings

EXAMPLES_MAX = 100

_FilesArgument = Annotated[list[Path] | None, typer.Argument(metavar="FILE", help="More files of recorded indicators.")]
_CandidateOption = Annotated[
    Path | None, typer.Option("--candidate", help="File with the amended pack, in any folder.", metavar="PACK")
]
_EventsOption = Annotated[
    list[Path] | None,
    typer.Option("--events", help="Recorded indicators: an Avro container or JSON lines.", metavar="FILE"),
]
_FromTopicOption = Annotated[
    bool, typer.Option("--from-topic", help="Read the State's indicators topic instead of files.")
]
_SinceOption = Annotated[str | None, typer.Option("--since", help="With --from-topic: from this time on.")]
_UntilOption = Annotated[str | None, typer.Option("--until", help="With --from-topic: before this time.")]
_RecordOption = Annotated[
    Path | None,
    typer.Option("--record", help="Also write the indicators to a new Avro container, with their content."),
]
_StateOption = Annotated[
    str | None, typer.Option("--state", help="The providing State. Default: that of the candidate, else SHARING_STATE.")
]
_BaselineOption = Annotated[
    Path | None,
    typer.Option("--baseline", help="The current law. Default: the pack that the State uses.", metavar="PACK"),
]
_AtOption = Annotated[str | None, typer.Option("--at", help="Time of the decisions. Default: the current minute.")]
_DirectoryOption = Annotated[
    Path | None,
    typer.Option("--directory", help="YAML file with directory entries. Default: the broker's, or a sample."),
]
_AnnouncedOnlyOption = Annotated[
    bool,
    typer.Option(
        "--announced-only",
        help="Supply no authority for a State without an entry in the directory: it then receives nothing.",
    ),
]
_ExamplesOption = Annotated[
    int, typer.Option("--examples", min=0, max=EXAMPLES_MAX, help="Number of example ids per change.")
]


def rehearse(
    more_events: _FilesArgument = None,
    candidate: _CandidateOption = None,
    events: _EventsOption = None,
    from_topic: _FromTopicOption = False,
    since: _SinceOption = None,
    until: _UntilOption = None,
    record: _RecordOption = None,
    state: _StateOption = None,
    baseline: _BaselineOption = None,
    at: _AtOption = None,
    directory: _DirectoryOption = None,
    announced_only: _AnnouncedOnlyOption = False,
    examples: _ExamplesOption = 3,
    packs: PacksOption = None,
    pack: AdoptedPackOption = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Replay recorded indicators under an amended pack and show what would change, by State and by rule.

    A State without an entry in the directory is tested with supplied authorities; the report names it.
    Examples are shown as ids of indicators. Values, names and case references are never shown.
    """
    settings = load_settings(packs=packs, pack=pack, bootstrap=bootstrap)
    if candidate is None and record is None:
        raise InputError("nothing to do: give the amended pack with --candidate, or a file to record to with --record")
    now_ms = read_decision_time(at)
    since_ms = None if since is None else parse_instant(since, "--since")
    until_ms = None if until is None else parse_instant(until, "--until")
    code = _find_state(state, candidate, settings)
    laws = None if candidate is None else _read_laws(code, candidate, baseline, settings)
    report = None
    with ExitStack() as stack:
        files = [*(events or []), *(more_events or [])]
        source = stack.enter_context(open_source(code, files, bootstrap, (since_ms, until_ms), from_topic))
        recorder = None if record is None else stack.enter_context(ContainerRecorder(record))
        admission = AdmissionStats(code)
        if laws is None:
            _record_only(source, admission, recorder)
        else:
            entries = read_directory(directory, settings if from_topic else None, tls_properties(settings))
            contexts = _open_contexts(laws, entries, now_ms, settings, supply=not announced_only)
            report = _replay(source, admission, recorder, contexts, now_ms, examples)
    _print_unread(admission)
    if record is not None:
        err.print(
            f"{record}: {admission.admitted} indicators recorded with their content; protect the file like the topic"
        )
    if report is not None:
        _print_rehearsal(report, as_json=as_json)


def _print_rehearsal(report: RehearsalReport, *, as_json: bool) -> None:
    if as_json:
        print_json(to_document(report))
    else:
        print_report(report)


def _find_state(named: str | None, candidate: Path | None, settings: Settings) -> str:
    """Return the providing State.

    Raises:
        InputError: Neither the option nor the candidate nor a setting names it.
        PackError: The candidate is invalid.
    """
    if named is not None:
        return read_state("--state", named)
    amended_pack = None if candidate is None else load_law(candidate).pack
    if amended_pack is not None and not amended_pack.is_template:
        return amended_pack.state
    if settings.state is None:
        raise InputError(
            "--state is missing: it names the State that provides the indicators, or that adopts the template; give "
            "it, or set SHARING_STATE"
        )
    return settings.state


def _read_laws(state: str, candidate: Path, baseline: Path | None, settings: Settings) -> tuple[Law, Law]:
    """Return the current law and the candidate.

    The candidate uses the treaty table in its own folder, or else the current one.

    Raises:
        SharingError: A pack cannot be read or does not belong to the State.
    """
    if baseline is None:
        current = find_law(state, settings.packs, settings.pack, keys=read_public_keys(settings.pack_key))
    else:
        current = adopt_law(load_law(baseline), state)
    texts = read_law_texts(candidate)
    if not candidate.with_name(TREATIES_FILE).is_file():
        texts = replace(texts, treaties_text=current.treaties.text)
    return current, adopt_law(texts.parse_law(), state)


def _open_contexts(
    laws: tuple[Law, Law], directory: Directory, now_ms: int, settings: Settings, *, supply: bool
) -> tuple[DecisionContext, DecisionContext]:
    locate = no_geo_lookup if settings.geoip is None else open_geoip_lookup(settings.geoip)
    contexts = [DecisionContext.open(law.pack, law.treaties, directory, now_ms, locate) for law in laws]
    before, after = (_supply_authorities(context) if supply else context for context in contexts)
    return before, after


def _supply_authorities(context: DecisionContext) -> DecisionContext:
    law = context.disclosure_filter
    authorities = supply_authorities(law.authorities, STATES)
    return replace(context, disclosure_filter=DisclosureFilter(law.pack, law.treaties, law.day, authorities))


def _replay(
    source: EventSource,
    admission: AdmissionStats,
    recorder: ContainerRecorder | None,
    contexts: tuple[DecisionContext, DecisionContext],
    now_ms: int,
    examples: int,
) -> RehearsalReport:
    before, after = contexts
    rehearsal = Rehearsal(before.disclosure_filter, after.disclosure_filter, examples)
    replay = BatchReplayer(rehearsal, before.finder, admission, now_ms)
    with _open_batches(source, admission) as batches:
        if recorder is None:
            for batch in batches:
                replay.replay_batch(batch)
        else:  # recording needs whole records
            for record in recorder.write_through(admit_records(batches, admission)):
                replay.replay_record(record)
    summary = rehearsal.summarise()
    announced = before.directory.get_authorities(now_ms)
    has_supplied = any(state not in announced for state in before.disclosure_filter.authorities)
    return RehearsalReport(
        sources=source.names,
        admission=admission,
        at_ms=now_ms,
        directory_version=before.directory_version,
        before=before.disclosure_filter.pack,
        after=after.disclosure_filter.pack,
        edits=compare_rules(before.disclosure_filter, after.disclosure_filter),
        other_differences=compare_supporting_data(before.disclosure_filter, after.disclosure_filter),
        summary=summary,
        supplied=sorted(state for state in summary.states if state not in announced) if has_supplied else [],
        failed_rules=sorted(before.disclosure_filter.rule_errors.keys() | after.disclosure_filter.rule_errors.keys()),
    )


def _record_only(source: EventSource, admission: AdmissionStats, recorder: ContainerRecorder | None) -> None:
    """Read and record the indicators without deciding on them."""
    with _open_batches(source, admission) as batches:
        records = admit_records(batches, admission)
        for _ in records if recorder is None else recorder.write_through(records):
            pass


@contextmanager
def _open_batches(source: EventSource, admission: AdmissionStats) -> Iterator[Iterator[RecordedBatch]]:
    """Open the batches of a source and show a progress bar while they are read.

    Raises:
        InputError: No indicator could be read. Raised at the end.
    """
    with progress_bar("rehearsing", source.total, as_percentage=True) as report:
        yield source.open_batches(report)
    if not admission.admitted:
        _print_unread(admission)
        raise InputError(f"{', '.join(source.names)}: contains no readable indicator of {admission.state}")


def _print_unread(admission: AdmissionStats) -> None:
    for entry in admission.first_rejected:
        err.print(to_printable(f"not read: {entry.source}: {entry.location}: {entry.reason}"))
    hidden = admission.rejected - len(admission.first_rejected)
    if hidden:
        err.print(f"not read: and {hidden} more")
