"""`sharing doctor`: what is wrong here, and what to do about it."""

from __future__ import annotations

import datetime as dt
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer
from confluent_kafka import libversion

from sharing.cli.connection import Bootstrap
from sharing.cli.console import AsJson, err, print_json, say
from sharing.cli.doctor.access import examine_certificate, examine_clock, examine_rights
from sharing.cli.doctor.deep import Certificates, Deep, examine_deep, skipped
from sharing.cli.doctor.finding import DoctorFinding
from sharing.cli.topics import StatesOption, choose_partners, configure_with
from sharing.errors import SharingError
from sharing.geoip import open_lookup
from sharing.kafka.clients import look_up_topics, require_broker
from sharing.kafka.directory_topic import DirectoryReader
from sharing.kafka.tls import TlsIdentity, read_identity, tls_properties
from sharing.kafka.topic_admin import TopicChange, inspect_topics
from sharing.law.pack import Pack
from sharing.model.times import utc_day
from sharing.model.vocabulary import Effect
from sharing.packs.library import find_law, pack_files, read_law
from sharing.packs.signature import read_public_keys
from sharing.serialization.codec import SCHEMA_NAMES, codec_of
from sharing.serialization.schema_registry import open_framing
from sharing.settings import Settings, load_settings
from sharing.topology.acls import OPERATOR, operations_on
from sharing.topology.partners import Partners
from sharing.topology.topics import NOTICES, Topic

LIBRDKAFKA_MIN = (2, 4)
PACK_AGE_MAX = dt.timedelta(days=365)


def doctor(
    states: StatesOption = None,
    bootstrap: Bootstrap = None,
    deep: Deep = False,
    certificates: Certificates = None,
    as_json: AsJson = False,
) -> None:
    """Check Python, packages, schemas, law packs, clock, and, where a broker is named, the broker and its topics."""
    findings = list(_examine(states, bootstrap))
    if deep:
        findings += _examine_deep(findings, bootstrap, certificates)
    if as_json:
        print_json([asdict(one) for one in findings])
    else:
        for one in findings:
            say(f"{one.mark} {one.check}: {one.detail}")
            if not one.ok or one.warning:
                say(f"remedy: {one.remedy}", indent=5)
    if not all(one.ok for one in findings):
        err.print(f"{sum(not one.ok for one in findings)} of {len(findings)} checks failed")
        raise typer.Exit(1)


def _examine_deep(found: list[DoctorFinding], bootstrap: str | None, certificates: Path | None) -> list[DoctorFinding]:
    if not any(one.check == "broker" and one.ok for one in found):
        return [skipped()]
    settings = load_settings(bootstrap=bootstrap)
    return list(examine_deep(settings, str(settings.bootstrap), certificates))


def _examine(states: str | None, bootstrap: str | None) -> Iterator[DoctorFinding]:
    yield _python()
    yield _librdkafka()
    yield from _checked("settings", lambda: _settings(bootstrap), "mend the setting named")
    yield from _checked("schemas", _schemas, "install the package again: its files are damaged")
    try:
        settings = load_settings(bootstrap=bootstrap)
    except SharingError:
        return
    yield from _checked("geoip", lambda: _geoip(settings), "name another database, or unset SHARING_GEOIP")
    yield from _packs(settings)
    yield from examine_certificate(settings)
    if settings.bootstrap is None:
        yield DoctorFinding(
            "broker",
            ok=False,
            detail="none is named",
            remedy="give --bootstrap HOST:PORT or set SHARING_BOOTSTRAP",
        )
        return
    servers = settings.bootstrap
    remedy = "start it, or name another with --bootstrap; one that asks for a certificate needs SHARING_TLS_…"
    try:
        identity, tls = read_identity(settings), tls_properties(settings)
    except SharingError as error:
        yield DoctorFinding("broker", ok=False, detail=f"not asked: {error}", remedy="mend the certificate first")
        return
    broker = list(_checked("broker", lambda: _broker(servers, tls), remedy))
    yield from broker
    if broker[0].ok:
        partners = choose_partners(settings, states or settings.state)
        yield from _topics(partners, servers, identity, tls)
        yield from examine_rights(identity, servers, partners, tls)
        yield from examine_clock(servers, tls)
        yield from _directory(settings, servers, identity, tls)


def _checked(check: str, examine: Callable[[], str], remedy: str) -> Iterator[DoctorFinding]:
    try:
        yield DoctorFinding(check, ok=True, detail=examine())
    except SharingError as error:
        yield DoctorFinding(check, ok=False, detail=str(error), remedy=remedy)
    except (OSError, ValueError) as error:  # a file of the installation that is missing or damaged
        yield DoctorFinding(check, ok=False, detail=f"{type(error).__name__}: {error}", remedy=remedy)


def _python() -> DoctorFinding:
    found = platform.python_version()
    return DoctorFinding("python", sys.version_info >= (3, 11), found, "install Python 3.11 or newer")


def _librdkafka() -> DoctorFinding:
    text, _ = libversion()
    numbers = tuple(int(part) for part in text.split("-")[0].split(".")[:2])
    try:
        faust = version("faust-streaming")
    except PackageNotFoundError:
        return DoctorFinding(
            "packages",
            ok=False,
            detail="faust-streaming is missing",
            remedy="install sharing-bus again, with its dependencies",
        )
    remedy = "pip install --upgrade confluent-kafka"
    return DoctorFinding("packages", numbers >= LIBRDKAFKA_MIN, f"librdkafka {text}, faust-streaming {faust}", remedy)


def _settings(bootstrap: str | None) -> str:
    load_settings(bootstrap=bootstrap)
    return "readable"


def _schemas() -> str:
    for name in SCHEMA_NAMES:
        codec_of(name)
    return f"{len(SCHEMA_NAMES)} readable"


def _geoip(settings: Settings) -> str:
    if settings.geoip is None:
        return "no database is configured: IP addresses point to no State"
    open_lookup(settings.geoip)
    return f"{settings.geoip} readable"


def _packs(settings: Settings) -> Iterator[DoctorFinding]:
    today = utc_day(int(time.time() * 1000))
    try:
        places = pack_files(settings.packs)
    except SharingError as error:
        yield DoctorFinding("packs", ok=False, detail=str(error), remedy="mend SHARING_PACKS, or unset it")
        return
    if not places:
        remedy = "mend SHARING_PACKS, or unset it"
        yield DoctorFinding("packs", ok=False, detail=f"{settings.packs} holds none (<st>.yaml)", remedy=remedy)
    for place in places:
        try:
            pack = read_law(place).pack
        except SharingError as error:
            yield DoctorFinding(
                f"pack {place.name}", ok=False, detail=str(error), remedy="mend the pack; a gate refuses it"
            )
            continue
        detail = f"{pack.code} {pack.version}, {len(pack.rules)} rules, consolidated {pack.consolidated_at}"
        yield _age(f"pack {place.name}", pack, f"{detail}; today is {today}", today)
    if settings.state is not None:
        state = settings.state
        remedy = "see the message; a gate of that State does not start"
        yield from _checked("law", lambda: _law(state, settings), remedy)


def _age(check: str, pack: Pack, detail: str, today: dt.date) -> DoctorFinding:
    """Return whether a pack is of its time: of no day to come, with a permission in force, and not old."""
    if pack.consolidated_at > today:
        remedy = "set the clock (is the time service running?), or use the pack version of that day"
        return DoctorFinding(check, ok=False, detail=detail, remedy=remedy)
    last = [rule.valid.end for rule in pack.rules if rule.effect is Effect.PERMIT]
    if last and all(day is not None and day < today for day in last):
        detail += "; none of its permissions is in force any more, so everything is withheld"
        return DoctorFinding(
            check, ok=False, detail=detail, remedy="have the law office adopt a version for the law of today"
        )
    old = today - pack.consolidated_at > PACK_AGE_MAX
    remedy = "have the law office consolidate it to a day of this year" if old else ""
    return DoctorFinding(check, ok=True, detail=detail, remedy=remedy, warning=old)


def _law(state: str, settings: Settings) -> str:
    keys = read_public_keys(settings.pack_key)
    pack = find_law(state, settings.packs, settings.pack, keys=keys).pack
    signed = "signed" if keys else "signatures are not looked at"
    return f"{state} applies pack {pack.code} {pack.version}, sha256 {pack.sha256}; {signed}"


def _broker(servers: str, tls: Mapping[str, str]) -> str:
    require_broker(servers, tls)
    return f"{servers} answers"


def _topics(
    partners: Partners, servers: str, identity: TlsIdentity | None, tls: Mapping[str, str]
) -> Iterator[DoctorFinding]:
    principal = identity.principal if identity is not None else None
    everything = principal in {None, OPERATOR}
    # Of the others, each sees its own, and no configuration.
    wanted = {
        name: topic
        for name, topic in partners.topics.items()
        if everything or (principal is not None and operations_on(principal, name))
    }
    try:
        changes = inspect_topics(servers, wanted, tls, configs=everything)
    except SharingError as error:
        yield DoctorFinding(
            "topics",
            ok=False,
            detail=str(error),
            remedy="see the message; the broker must let this user describe topics",
        )
        return
    for change in changes:
        if change.kind != "same":
            remedy = f"sharing topics apply --states {','.join(partners.states)}"
            if change.kind == "differs":
                remedy = f"nothing is changed by itself; {_mend_with(change, wanted[change.topic])}"
            yield DoctorFinding(f"topic {change.topic}", ok=False, detail=change.detail or "is missing", remedy=remedy)
    same = sum(change.kind == "same" for change in changes)
    unseen = "" if everything else "; policies and retention are for the operator to see"
    detail = f"{same} of {len(changes)} as the table says{unseen}"
    yield DoctorFinding("topics", same == len(changes), detail, "see each topic above")


def _mend_with(change: TopicChange, topic: Topic) -> str:
    if "partitions" in change.detail:
        return "say the topic's number in the partners file or SHARING_PARTITIONS, or make it anew (docs/maintain.md)"
    return configure_with(topic)


def _directory(
    settings: Settings, servers: str, identity: TlsIdentity | None, tls: Mapping[str, str]
) -> Iterator[DoctorFinding]:
    """Yield whether the directory can be read, and whether what is announced can be received."""
    try:
        reader = DirectoryReader(servers, tls, framing=open_framing(settings, None))
        try:
            directory = reader.read_to_end()
        finally:
            reader.close()
        present = look_up_topics(servers, tls)
    except SharingError as error:
        remedy = "see the message; `sharing directory announce` fills it"
        yield DoctorFinding("directory", ok=False, detail=str(error), remedy=remedy)
        return
    ignored = f", {reader.ignored} records ignored" if reader.ignored else ""
    detail = f"{len(directory.entries)} States at version {directory.version}{ignored}"
    principal = identity.principal if identity is not None else None
    lost = [
        state
        for state in directory.authorities(int(time.time() * 1000))
        if (topic := NOTICES.topic(state)) not in present and (principal is None or operations_on(principal, topic))
    ]
    if lost:
        detail += f"; no topics here of {', '.join(lost)}: a gate stops at its first item for it"
        remedy = f"sharing topics apply --states {','.join(lost)}, or let the State take its entry out"
        yield DoctorFinding("directory", ok=False, detail=detail, remedy=remedy)
        return
    yield DoctorFinding("directory", ok=True, detail=detail)
