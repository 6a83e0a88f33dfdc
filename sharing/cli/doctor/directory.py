"""Check of `sharing doctor` for the directory: it can be read, and its States have topics."""

from __future__ import annotations

from collections.abc import Iterator

from sharing.cli.doctor.check_result import CheckResult
from sharing.cli.doctor.cluster import Cluster
from sharing.cli.doctor.keys import find_ending_roots
from sharing.cli.shared.instants import read_clock
from sharing.errors import SharingError
from sharing.kafka.clients import look_up_topics
from sharing.kafka.directory_pins import read_directory_pins
from sharing.kafka.directory_reader import DirectoryReader
from sharing.serialization.schema_registry import load_framing
from sharing.topology.acls import allowed_operations
from sharing.topology.topics import DIRECTORY, NOTICES


def check_directory(cluster: Cluster) -> Iterator[CheckResult]:
    """Check that the directory can be read, and that every State in it has topics."""
    try:
        pins = read_directory_pins(cluster.settings)
        reader = DirectoryReader(cluster.servers, cluster.tls, framing=load_framing(cluster.settings, None), pins=pins)
        try:
            directory = reader.read_to_end()
        finally:
            reader.close()
        present = look_up_topics(cluster.servers, cluster.tls)
    except SharingError as error:
        remedy = "see the message; `sharing directory announce` adds entries"
        yield CheckResult("directory", ok=False, detail=str(error), remedy=remedy)
        return
    ignored = f", {reader.ignored_count} records ignored" if reader.ignored_count else ""
    now_ms = read_clock()
    detail = f"{len(directory.entries)} States at version {directory.get_version(now_ms)}{ignored}"
    if reader.unreadable:
        causes = ", ".join(f"{DIRECTORY.topic(state)} ({cause})" for state, cause in reader.unreadable.items())
        remedy = "the State announces its entry again: sharing directory announce FILE --state ST"
        yield CheckResult(
            "directory", ok=False, detail=f"{detail}; cannot be read, so nothing is sent there: {causes}", remedy=remedy
        )
        return
    if reader.unconfirmed:
        causes = ", ".join(f"{DIRECTORY.topic(state)} ({cause})" for state, cause in reader.unconfirmed.items())
        remedy = "see docs/runbooks/directory-unconfirmed.md, and ask these States by telephone"
        yield CheckResult("directory", ok=False, detail=f"{detail}; cannot be confirmed: {causes}", remedy=remedy)
        return
    if pins is not None:
        detail += f"; the chain from the pinned root verifies for {len(reader.trusted_keys)} of {len(pins)} States"
    missing = [
        state
        for state in directory.get_authorities(now_ms)
        if (topic := NOTICES.topic(state)) not in present
        and (cluster.principal is None or allowed_operations(cluster.principal, topic))
    ]
    if missing:
        detail += f"; {', '.join(missing)} has no topics on this cluster: every gate withholds from it"
        remedy = f"sharing topics apply --states {','.join(missing)}, or have the State remove its entry"
        yield CheckResult("directory", ok=False, detail=detail, remedy=remedy)
        return
    if not directory.entries:
        detail = "no State has announced itself, so nothing is sent to any"
        remedy = "sharing directory announce FILE"
        yield CheckResult("directory", ok=True, detail=detail, remedy=remedy, warning=True)
        return
    yield CheckResult("directory", ok=True, detail=detail)
    yield from find_ending_roots(reader.trusted_keys, now_ms)
