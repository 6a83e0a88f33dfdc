"""Configuration of a single local Kafka node: broker and controller in one process, on the loopback interface only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sharing.testing.broker.process import LOOPBACK
from sharing.topology.broker_settings import list_required_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

NODE_ID = 1
DATA_FOLDER = "data"

_ASCII_END = 0x7F


def server_properties(
    port: int,
    controller_port: int,
    listeners: Mapping[str, int],
    extra: Mapping[str, str],
    protocol: str = "PLAINTEXT",
) -> dict[str, str]:
    """Return the properties of the node.

    Args:
        port: Port of the listener for clients and for the node itself.
        controller_port: Port of the listener `CONTROLLER`.
        listeners: Ports of further listeners, by security protocol (`SSL`, `SASL_SSL`, …).
        extra: Further Kafka properties; they override those set here.
        protocol: Security protocol of the main listener and the controller: `PLAINTEXT` or `SSL`.
    """
    ports = {protocol: port, "CONTROLLER": controller_port, **listeners}
    return {
        "process.roles": "broker,controller",
        "node.id": str(NODE_ID),
        "controller.quorum.voters": f"{NODE_ID}@{LOOPBACK}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": protocol,
        "listeners": ",".join(f"{name}://{LOOPBACK}:{number}" for name, number in ports.items()),
        "listener.security.protocol.map": ",".join(
            f"{name}:{protocol if name == 'CONTROLLER' else name}" for name in ports
        ),
        # Relative to the working directory of the process: a comma in the folder's absolute path would split the list.
        "log.dirs": DATA_FOLDER,
        **list_required_settings(),
        "group.initial.rebalance.delay.ms": "0",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # The default of 50 is for clusters; here it would only slow down the first group and transaction.
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        # After a kill, the node cannot register again before this timeout; the default is 9 s.
        "broker.session.timeout.ms": "4000",
        "broker.heartbeat.interval.ms": "500",
        # The default of 128 MB is a quarter of the heap.
        "log.cleaner.dedupe.buffer.size": str(16 << 20),
    } | dict(extra)


def render_properties(properties: Mapping[str, str]) -> str:
    """Render properties in Java's `.properties` syntax, in ASCII. Values may contain line breaks, as PEM does."""
    return "".join(f"{_escape(key, '=: ')}={_escape(value)}\n" for key, value in properties.items())


def _escape(text: str, special: str = "") -> str:
    text = text.replace("\\", "\\\\").replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")
    for character in special:
        text = text.replace(character, "\\" + character)
    if text.startswith((" ", "#", "!")):
        text = "\\" + text
    # The syntax is Latin-1; other characters are escaped as UTF-16 code units.
    units = text.encode("utf-16-be")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(code) if code < _ASCII_END else f"\\u{code:04x}" for code in codes)
