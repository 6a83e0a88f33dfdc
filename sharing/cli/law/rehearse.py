"""`sharing law rehearse`: what an amendment would change, told before it is enacted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.connection import Bootstrap, bus_settings
from sharing.cli.console import AsJson, err, print_json, printable, progress_bar
from sharing.cli.dry_run import read_directory
from sharing.cli.law.explain import read_instant
from sharing.cli.law.rehearsal_report import RehearsalReport, document, show
from sharing.errors import InputError
from sharing.geoip import open_lookup
from sharing.kafka.tls import tls_properties
from sharing.kafka.topic_range import TopicRange
from sharing.law.decision_context import DecisionContext
from sharing.law.rehearse import Rehearsal, compare_rest, compare_rules
from sharing.model.countries import normalise_country
from sharing.model.directory import Directory
from sharing.packs.library import TREATIES, Law, adopt, find_law, read_law, read_texts
from sharing.packs.signature import read_public_keys
from sharing.relevance.nexus import no_lookup
from sharing.replay.admission import AdmissionStats
from sharing.replay.batch_rehearsal import BatchRehearsal
from sharing.replay.containers import Recorder
from sharing.replay.recorded_batches import RecordedBatch, admit_each, read_files, read_range, size_of
from sharing.serialization.schema_registry import open_framing
from sharing.settings import Settings, load_settings
from sharing.topology.topics import INDICATORS

EXAMPLES_MAX = 100

Batches = Callable[[Callable[[int], object]], Iterator[RecordedBatch]]


@dataclass(frozen=True, slots=True)
class EventSource:
    """Where recorded indicators come from: names for the report, how much there is, and how it is read."""

    names: tuple[str, ...]
    total: int
    read: Batches


def rehearse(
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="Further files of events.")] = None,
    candidate: Annotated[
        Path | None, typer.Option("--candidate", help="The pack as amended: a file, anywhere.", metavar="PACK")
    ] = None,
    events: Annotated[
        list[Path] | None,
        typer.Option("--events", help="Recorded indicators: an Avro container or JSON lines.", metavar="FILE"),
    ] = None,
    from_topic: Annotated[
        bool, typer.Option("--from-topic", help="Read the State's topic of indicators instead of files.")
    ] = False,
    since: Annotated[str | None, typer.Option("--since", help="With --from-topic: from this time on.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="With --from-topic: before this time.")] = None,
    record: Annotated[
        Path | None,
        typer.Option("--record", help="Also write what is read into a new Avro container; it holds content."),
    ] = None,
    state: Annotated[str | None, typer.Option("--state", help="The providing State; else the candidate's.")] = None,
    baseline: Annotated[
        Path | None, typer.Option("--baseline", help="The law that applies now; else as found.", metavar="PACK")
    ] = None,
    at: Annotated[str | None, typer.Option("--at", help="The instant; the present minute when not given.")] = None,
    directory: Annotated[
        Path | None, typer.Option("--directory", help="YAML with the States' entries; else the broker's, or a sample.")
    ] = None,
    examples: Annotated[
        int, typer.Option("--examples", min=0, max=EXAMPLES_MAX, help="How many ids are told of each change.")
    ] = 3,
    packs: Annotated[Path | None, typer.Option("--packs", help="A folder of packs; else SHARING_PACKS.")] = None,
    pack: Annotated[str | None, typer.Option("--pack", help="The pack that the State adopted, such as EU.")] = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Replay recorded indicators under a candidate pack, and show what would change, State by State, rule by rule.

    Examples are told by the indicators' ids; no value, no name and no case reference is shown.
    """
    settings = load_settings(packs=packs, pack=pack, bootstrap=bootstrap)
    if candidate is None and record is None:
        raise InputError("nothing to do: name the amended pack with --candidate, or a recording with --record")
    now_ms = int(time.time()) // 60 * 60_000 if at is None else read_instant(at)
    since_ms = None if since is None else read_instant(since, "--since")
    until_ms = None if until is None else read_instant(until, "--until")
    code = _state(state, candidate)
    laws = None if candidate is None else _laws(code, candidate, baseline, settings)
    with ExitStack() as stack:
        files = [*(events or []), *(more or [])]
        source = stack.enter_context(_source(code, files, bootstrap, (since_ms, until_ms), from_topic))
        recorder = None if record is None else stack.enter_context(Recorder(record))
        intake = AdmissionStats(code)
        if laws is None:
            report = None
            _drain(source, intake, recorder)
        else:
            found = read_directory(directory, settings if from_topic else None, tls_properties(settings))
            report = _replay(source, intake, recorder, _sittings(laws, found, now_ms, settings), now_ms, examples)
    _tell_unread(intake)
    if record is not None:
        err.print(f"{record}: {intake.read} indicators recorded, with their content; keep it as safe as the topic")
    if report is not None:
        if as_json:
            print_json(document(report))
        else:
            show(report)


def _state(named: str | None, candidate: Path | None) -> str:
    """Return the providing State.

    Raises:
        InputError: Nothing says which it is.
        PackError: The candidate is unsound.
    """
    if named is not None:
        return normalise_country(named)
    amended = None if candidate is None else read_law(candidate).pack
    if amended is None or amended.is_template:
        raise InputError("--state is missing: it says whose indicators they are, and who adopts a template")
    return amended.state


def _laws(state: str, candidate: Path, baseline: Path | None, settings: Settings) -> tuple[Law, Law]:
    """Return the law that applies now, and the candidate on the same treaty table unless one lies beside it.

    Raises:
        SharingError: One of them cannot be read, or is not that State's.
    """
    if baseline is None:
        now = find_law(state, settings.packs, settings.pack, keys=read_public_keys(settings.pack_key))
    else:
        now = adopt(read_law(baseline), state)
    texts = read_texts(candidate)
    if not candidate.with_name(TREATIES).is_file():
        texts = replace(texts, treaties=now.treaties.text)
    return now, adopt(texts.read(), state)


@contextmanager
def _source(
    state: str, files: list[Path], bootstrap: str | None, range_ms: tuple[int | None, int | None], from_topic: bool
) -> Iterator[EventSource]:
    if from_topic == bool(files):
        raise InputError("name what was recorded: files with --events, or --from-topic, and not both")
    if not from_topic:
        if any(instant is not None for instant in range_ms):
            raise InputError("--since and --until are for --from-topic; a file is rehearsed whole")
        yield EventSource(tuple(map(str, files)), size_of(files), lambda tell: read_files(files, state, tell))
        return
    topic = INDICATORS.topic(state)
    settings, servers, tls = bus_settings(bootstrap)
    framing = open_framing(settings, state)
    opened = TopicRange(servers, topic, f"{topic}.rehearsal", *range_ms, properties=tls)
    try:
        yield EventSource((topic,), opened.total, lambda tell: read_range(opened, topic, tell, framing))
    finally:
        opened.close()


def _sittings(
    laws: tuple[Law, Law], directory: Directory, now_ms: int, settings: Settings
) -> tuple[DecisionContext, DecisionContext]:
    locate = no_lookup if settings.geoip is None else open_lookup(settings.geoip)
    before, after = (DecisionContext.open(law.pack, law.treaties, directory, now_ms, locate) for law in laws)
    return before, after


def _replay(
    source: EventSource,
    intake: AdmissionStats,
    recorder: Recorder | None,
    contexts: tuple[DecisionContext, DecisionContext],
    now_ms: int,
    examples: int,
) -> RehearsalReport:
    before, after = contexts
    rehearsal = Rehearsal(before.law, after.law, examples)
    replay = BatchRehearsal(rehearsal, before.finder, intake, now_ms)
    with _batches(source, intake) as batches:
        if recorder is None:
            for batch in batches:
                replay.take(batch)
        else:  # whole records are wanted anyway
            for record in recorder.record(admit_each(batches, intake)):
                replay.take_alone(record)
    return RehearsalReport(
        sources=source.names,
        intake=intake,
        at_ms=now_ms,
        directory_version=before.directory.version,
        before=before.law.pack,
        after=after.law.pack,
        edits=compare_rules(before.law, after.law),
        besides=compare_rest(before.law, after.law),
        difference=rehearsal.difference(),
        failed_rules=sorted(before.law.rule_errors.keys() | after.law.rule_errors.keys()),
    )


def _drain(source: EventSource, intake: AdmissionStats, recorder: Recorder | None) -> None:
    """Read for the sake of the recording only."""
    with _batches(source, intake) as batches:
        records = admit_each(batches, intake)
        for _ in records if recorder is None else recorder.record(records):
            pass


@contextmanager
def _batches(source: EventSource, intake: AdmissionStats) -> Iterator[Iterator[RecordedBatch]]:
    """Give out what is recorded while a bar shows how far it is.

    Raises:
        InputError: At the end, when nothing could be read.
    """
    with progress_bar("rehearsing", source.total, share=True) as tell:
        yield source.read(tell)
    if not intake.read:
        _tell_unread(intake)
        raise InputError(f"{', '.join(source.names)}: nothing in it is an indicator of {intake.state} that can be read")


def _tell_unread(intake: AdmissionStats) -> None:
    for entry in intake.told:
        err.print(printable(f"not read: {entry.source}: {entry.place}: {entry.reason}"))
    if intake.unread > len(intake.told):
        err.print(f"not read: and {intake.unread - len(intake.told)} more")
