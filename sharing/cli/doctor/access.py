"""What `sharing doctor` finds of the wall: one's certificate, one's rights, the access control list, the clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import KafkaException, TopicCollection

from sharing.cli.doctor.finding import DoctorFinding
from sharing.cli.topics import remove_with
from sharing.errors import SettingsError, SharingError
from sharing.kafka.acl_admin import inspect_acls, word
from sharing.kafka.broker_clock import ClockReading, read_broker_clock
from sharing.kafka.clients import explain, look_up_topics, make_admin
from sharing.kafka.tls import TlsIdentity, check_identity, read_identity
from sharing.kafka.topic_admin import ADMIN_SECONDS_MAX, wait_for
from sharing.settings import Settings
from sharing.topology.acls import OPERATOR, Principal, operations_on
from sharing.topology.partners import Partners
from sharing.topology.topics import CLOCK

RENEW_BEFORE = timedelta(days=14)
SKEW_SECONDS_MAX = 2.0
"""Above it, deadlines and the days on which law changes are read wrongly by somebody."""

_SHOWN_MAX = 20


def examine_certificate(settings: Settings) -> Iterator[DoctorFinding]:
    """Yield what is to be said of one's certificate."""
    try:
        identity = read_identity(settings)
        if identity is None:
            detail = "none is configured: a broker behind the wall lets nobody in without"
            yield DoctorFinding("certificate", ok=True, detail=detail)
            return
        check_identity(identity, settings, datetime.now(UTC))
    except SettingsError as error:
        yield DoctorFinding("certificate", ok=False, detail=str(error), remedy="name the right files in SHARING_TLS_…")
        return
    until = f"{identity.name}, until {identity.valid_until:%Y-%m-%d %H:%MZ}"
    if identity.principal is None:
        remedy = "have one made with a CN that `sharing topics acls` lists"
        yield DoctorFinding("certificate", ok=False, detail=f"{until}: nobody on this bus has that name", remedy=remedy)
        return
    soon = identity.valid_until - datetime.now(UTC) < RENEW_BEFORE
    yield DoctorFinding("certificate", ok=True, detail=until, remedy="have it renewed" if soon else "", warning=soon)


def examine_rights(
    identity: TlsIdentity | None, servers: str, partners: Partners, properties: Mapping[str, Any]
) -> Iterator[DoctorFinding]:
    """Yield where one's rights on the cluster are narrower or wider than the table says; the operator, everyone's."""
    principal = identity.principal if identity is not None else None
    if principal is None:
        return
    try:
        wrong = list(_own_rights(principal, servers, partners, properties))
        if principal == OPERATOR:
            wrong += _everyones(servers, partners, properties)
    except SharingError as error:
        yield DoctorFinding("rights", ok=False, detail=str(error), remedy="see the message")
        return
    yield from wrong[:_SHOWN_MAX]
    more = f", of which {_SHOWN_MAX} are shown" if len(wrong) > _SHOWN_MAX else ""
    detail = f"{len(wrong)} differ from the table{more}" if wrong else f"{principal.name} has those of the table"
    yield DoctorFinding("rights", ok=not wrong, detail=detail, remedy="see each above" if wrong else "")


def examine_clock(servers: str, properties: Mapping[str, Any]) -> Iterator[DoctorFinding]:
    """Yield how far this machine's clock is from that of the broker."""
    if CLOCK.topic() not in look_up_topics(servers, properties):
        detail = f"not compared with the broker's: {CLOCK.topic()} is not there"
        yield DoctorFinding("clock", ok=True, detail=detail, remedy="sharing topics apply", warning=True)
        return
    try:
        reading: ClockReading = read_broker_clock(servers, properties)
    except SharingError as error:
        remedy = "see the message; `sharing topics apply` makes the topic as it must be"
        yield DoctorFinding("clock", ok=False, detail=str(error), remedy=remedy)
        return
    far = abs(reading.ahead_s) - reading.error_s > SKEW_SECONDS_MAX
    which = "ahead of" if reading.ahead_s > 0 else "behind"
    detail = f"{abs(reading.ahead_s):.3f} s {which} the broker's, give or take {reading.error_s:.3f} s"
    yield DoctorFinding(
        "clock", ok=not far, detail=detail, remedy="set the clock here or there: is the time service running?"
    )


def _own_rights(
    principal: Principal, servers: str, partners: Partners, properties: Mapping[str, Any]
) -> Iterator[DoctorFinding]:
    """Compare what the broker says that one may do with each topic with what the table says."""
    admin = make_admin(servers, properties)
    present = look_up_topics(servers, properties)
    # What one may not describe is not shown: it is asked for by name where the table gives anything.
    names = [name for name in partners.topics if name in present or operations_on(principal, name)]
    if not names:
        return
    described = admin.describe_topics(
        TopicCollection(names), include_authorized_operations=True, request_timeout=ADMIN_SECONDS_MAX
    )
    for name, future in described.items():
        wanted = {str(operation) for operation in operations_on(principal, name)}
        try:
            given = {
                word(one) for one in wait_for(future, f"cannot ask for the rights on {name}").authorized_operations
            }
        except KafkaException as error:
            yield _narrow(f"{principal.name} sees no {name} ({explain(error)}), which the table gives")
            continue
        if wanted - given:
            yield _narrow(f"{principal.name} lacks {', '.join(sorted(wanted - given))} on {name}")
        if given - wanted:
            yield _wide(
                f"{principal.name} may {', '.join(sorted(given - wanted))} {name}, which the table does not give"
            )


def _everyones(servers: str, partners: Partners, properties: Mapping[str, Any]) -> Iterator[DoctorFinding]:
    for change in inspect_acls(servers, partners, properties):
        match change.kind:
            case "missing":
                yield _narrow(f"missing: {change.entry}")
            case "denied":
                yield _wide(f"a denial that the table does not have: {change.entry}", remove_with(change.entry))
            case "too wide":
                yield _wide(f"too wide: {change.entry}", remove_with(change.entry))
            case _:
                pass


def _narrow(detail: str) -> DoctorFinding:
    return DoctorFinding(
        "rights too narrow", ok=False, detail=detail, remedy="the operator: sharing topics apply --acls"
    )


def _wide(detail: str, command: str = "") -> DoctorFinding:
    remedy = "the operator: `sharing doctor` with the operator's certificate says which entry, and how to remove it"
    if command:
        remedy = f"nothing is removed by itself; if nobody needs it: {command}"
    return DoctorFinding("rights too wide", ok=False, detail=detail, remedy=remedy)
