"""The operator's smoke test: one marked item of Test State A, followed to the notice that Test State B receives.

Only topics of the test States are written to. What a gate of Test State A applies for it lies in
`sharing/testing/samples/test_states`: law that lets out this item and nothing else, and to nobody who exists.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, Message, TopicPartition

from sharing._publisher import Publisher, new_id
from sharing._subscriber import read_notice
from sharing.errors import DecodeError, InfrastructureError, SharingError
from sharing.kafka.clients import (
    client_properties,
    explain,
    look_up_topics,
    make_admin,
    make_consumer,
    require_topics,
)
from sharing.kafka.directory_topic import DirectoryReader
from sharing.packs.library import find_law
from sharing.serialization.codec import codec_of
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.testing.samples import smoke_directory, smoke_packs
from sharing.topology.acls import Principal
from sharing.topology.topics import DECISIONS, INDICATORS, NOTICES, QUARANTINE, URGENT, Role

PROVIDER, RECEIVER = "XA", "XB"
AGENCY = "smoke-test"
WAIT_SECONDS_MAX = 20.0
"""How long a decision, and then a notice, is waited for."""

_ASK_SECONDS_MAX = 10.0
_POLL_SECONDS = 0.1

Client = Callable[[Principal], Mapping[str, Any]]
"""Gives the librdkafka properties by which a principal connects."""

WRITER = Principal(Role.AGENCY, PROVIDER)
MINUTES = Principal(Role.CONSOLE, PROVIDER)
PARTNER = Principal(Role.PARTNER, RECEIVER)
GATE = Principal(Role.GATE, PROVIDER)
OPERATOR = Principal(Role.OPERATOR)


@dataclass(frozen=True, slots=True)
class SmokeTestStage:
    """How far the item came: what was reached or not, and what to do if not.

    Attributes:
        name: `topics`, `directory`, `publish`, `decision` or `notice`.
        seconds: Since the item was handed to Kafka; 0 before.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    seconds: float = 0.0


class SmokeTest:
    """One run.

    Args:
        bootstrap: Kafka bootstrap servers.
        client: Who connects how: an agency and an officer of the provider, a subscriber of the receiver, the operator.
        framing: How records are framed.
        wait_s: How long a decision, and then a notice, is waited for.
    """

    def __init__(
        self,
        bootstrap: str,
        client: Client = lambda _: {},
        framing: Framing = SINGLE_OBJECT_FRAMING,
        wait_s: float = WAIT_SECONDS_MAX,
    ) -> None:
        self._bootstrap = bootstrap
        self._client = client
        self._framing = framing
        self._wait_s = wait_s
        self._began = 0.0
        self.item = marked_item()

    def run(self) -> Iterator[SmokeTestStage]:
        """Yield each stage as it ends; nothing comes after one that is not well."""
        for name, act in (("topics", self._find_topics), ("directory", self._find_receiver)):
            stage = _settle(name, act)
            yield stage
            if not stage.ok:
                return
        try:
            with (
                closing(self._watch(MINUTES, DECISIONS.topic(PROVIDER), QUARANTINE.topic(PROVIDER))) as minutes,
                closing(self._watch(PARTNER, NOTICES.topic(RECEIVER), URGENT.topic(RECEIVER))) as notices,
            ):
                steps = (
                    ("publish", self._publish),
                    ("decision", lambda: self._await_decision(minutes)),
                    ("notice", lambda: self._await_notice(notices)),
                )
                for name, act in steps:
                    stage = _settle(name, act)
                    yield stage
                    if not stage.ok:
                        return
        except SharingError as error:
            yield SmokeTestStage("topics", ok=False, detail=str(error), remedy=_SEE)

    def _find_topics(self) -> SmokeTestStage:
        for who, kinds, state in (
            (WRITER, (INDICATORS,), PROVIDER),
            (MINUTES, (DECISIONS, QUARANTINE), PROVIDER),
            (PARTNER, (NOTICES, URGENT), RECEIVER),
        ):
            present = look_up_topics(self._bootstrap, self._client(who))
            own = INDICATORS.topic(state, AGENCY)
            wanted = [own if kind is INDICATORS and own in present else kind.topic(state) for kind in kinds]
            require_topics(present, wanted, f"{PROVIDER},{RECEIVER}")
        return SmokeTestStage("topics", ok=True, detail=f"those of {PROVIDER} and {RECEIVER} are there")

    def _find_receiver(self) -> SmokeTestStage:
        reader = DirectoryReader(self._bootstrap, self._client(MINUTES), framing=self._framing)
        with closing(reader):
            authority = reader.read_to_end().authorities(int(time.time() * 1000)).get(RECEIVER)
        if authority != "POLICE":
            what = "has no entry that is valid" if authority is None else f"is received for by {authority}"
            remedy = f"sharing directory announce {smoke_directory()}"
            return SmokeTestStage("directory", ok=False, detail=f"{RECEIVER} {what}", remedy=remedy)
        return SmokeTestStage("directory", ok=True, detail=f"{RECEIVER} has an entry")

    def _publish(self) -> SmokeTestStage:
        own = self._client(WRITER)
        publisher = Publisher(self._bootstrap, PROVIDER, AGENCY, properties=own, framing=self._framing)
        self._began = time.monotonic()
        with publisher:
            publisher.publish(self.item)
        return self._reached("publish", f"item {self.item['id']} is confirmed")

    def _await_decision(self, minutes: _Watch) -> SmokeTestStage:
        for message in minutes.read(self._wait_s):
            kind = DECISIONS if message.topic() == DECISIONS.topic(PROVIDER) else QUARANTINE
            record = _decode(self._framing, kind.schema, message)
            if record.get("indicator_id") == self.item["id"]:
                return self._judge(record) if kind is DECISIONS else _quarantined(record)
        remedy = f"look at its log; start it with: {start_command()}"
        return SmokeTestStage(
            "decision", ok=False, detail=f"none within {self._wait_s:g} s; {self._say_gate()}", remedy=remedy
        )

    def _judge(self, decision: Mapping[str, Any]) -> SmokeTestStage:
        pack = decision["pack"]
        law = f"pack {pack['state']} {pack['version']}"
        receivers = [one for one in decision["recipients"] if one["state"] == RECEIVER]
        outcome = receivers[0]["outcome"] if receivers else "not considered"
        if outcome == "DISCLOSE":
            rules = ", ".join(rule["id"] for rule in receivers[0]["rules"])
            return self._reached("decision", f"DISCLOSE to {RECEIVER} by {rules} of {law}")
        if pack["sha256"] != find_law(PROVIDER, smoke_packs()).pack.sha256:
            remedy = f"the gate does not apply the test States' law; start it with: {start_command()}"
        else:
            remedy = f"announce {RECEIVER} as the test does: sharing directory announce {smoke_directory()}"
        why = _reasons(receivers[0]) if receivers else ""
        return SmokeTestStage("decision", ok=False, detail=f"{RECEIVER}: {outcome} under {law}{why}", remedy=remedy)

    def _await_notice(self, notices: _Watch) -> SmokeTestStage:
        for message in notices.read(self._wait_s):
            try:
                notice = read_notice(self._framing.unframe(message.value()), RECEIVER)
            except DecodeError:
                continue  # of another run or release: what counts is that ours comes
            if notice.indicator_id == self.item["id"]:
                same = notice.from_state == PROVIDER and notice.content["value"] == self.item["value"]
                if not same:
                    return SmokeTestStage(
                        "notice", ok=False, detail=f"notice {notice.id} is not of that item", remedy=_DEFECT
                    )
                return self._reached("notice", f"notice {notice.id} can be read on {message.topic()}")
        detail = f"none within {self._wait_s:g} s, though the decision says DISCLOSE: both are of one transaction"
        remedy = f"see whether {NOTICES.topic(RECEIVER)} has a leader for each partition, and keeps its records"
        return SmokeTestStage("notice", ok=False, detail=detail, remedy=remedy)

    def _reached(self, name: str, detail: str) -> SmokeTestStage:
        seconds = time.monotonic() - self._began
        return SmokeTestStage(
            name, ok=True, detail=f"{detail}, {seconds:.3f} s after it was published", seconds=seconds
        )

    def _say_gate(self) -> str:
        group = str(GATE.group_prefix)
        try:
            admin = make_admin(self._bootstrap, self._client(OPERATOR))
            asked = admin.describe_consumer_groups([group], request_timeout=_ASK_SECONDS_MAX)
            members = len(asked[group].result(_ASK_SECONDS_MAX).members)
        except (SharingError, KafkaException, TimeoutError):
            return f"whether a gate of {PROVIDER} runs (group {group}) cannot be asked here"
        if members:
            return f"{members} worker(s) of group {group} are there, and do not get to it"
        return f"no gate of {PROVIDER} runs: group {group} has no members"

    def _watch(self, who: Principal, *topics: str) -> _Watch:
        return _Watch(self._bootstrap, topics, {**self._client(who), "group.id": f"{who.group_prefix}.smoke-test"})


class _Watch:
    """Reads what is committed on some topics from now on; commits nothing."""

    def __init__(self, bootstrap: str, topics: Sequence[str], properties: Mapping[str, Any]) -> None:
        self._consumer = make_consumer(client_properties(bootstrap, {"fetch.wait.max.ms": 10, **properties}))
        try:
            known = self._consumer.list_topics(timeout=_ASK_SECONDS_MAX).topics
            places = [TopicPartition(topic, number) for topic in topics for number in known[topic].partitions]
            for place in places:
                place.offset = self._consumer.get_watermark_offsets(place, timeout=_ASK_SECONDS_MAX)[1]
            self._consumer.assign(places)
        except (KafkaException, KeyError) as error:
            self._consumer.close()
            said = explain(error) if isinstance(error, KafkaException) else "it is not there"
            raise InfrastructureError(f"{', '.join(topics)} cannot be read: {said}") from None

    def read(self, seconds: float) -> Iterator[Message]:
        """Yield what comes, for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            message = self._consumer.poll(_POLL_SECONDS)
            if message is not None and message.error() is None:
                yield message

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()


_SEE = "see the message"
_DEFECT = "a defect: report it with the notice's id"


def marked_item() -> dict[str, Any]:
    """Return a new test item, in the JSON form of an indicator. Its value is a reserved name (RFC 2606)."""
    return {
        "id": new_id(),
        "type": "domain-name",
        "value": f"{uuid.uuid4()}.smoke-test.example",
        "summary": "A test of the bus by its operator; it concerns nobody.",
        "source": {"authority": "POLICE"},
        "form": "INFORMATION",
        "offence": {"codes": ["ILLEGAL_ACCESS"], "modus_operandi": ["smoke-test"]},
        "collection": "OPEN_SOURCE",
        "personal_data": False,
        "live_case_harm": False,
        "character": [],
        "urgency": "ORDINARY",
        "nexus": [{"state": RECEIVER, "reason": "smoke test"}],
    }


def start_command() -> str:
    """Return how a gate of Test State A is started for this test."""
    return f"SHARING_PACKS={smoke_packs()} sharing gate --state {PROVIDER}"


def _settle(name: str, act: Callable[[], SmokeTestStage]) -> SmokeTestStage:
    try:
        return act()
    except SharingError as error:
        return SmokeTestStage(name, ok=False, detail=str(error), remedy=_SEE)


def _decode(framing: Framing, schema: str, message: Message) -> Mapping[str, Any]:
    try:
        return codec_of(schema).decode(framing.unframe(message.value()))
    except DecodeError:
        return {}  # of another release: what counts is that ours comes


def _quarantined(record: Mapping[str, Any]) -> SmokeTestStage:
    detail = f"the gate quarantined the item at {record['stage']}: {record['cause']}: {record['message']}"
    return SmokeTestStage("decision", ok=False, detail=detail, remedy="run the same release here and in the gate")


def _reasons(recipient: Mapping[str, Any]) -> str:
    """Return why a State does not get it at once: rules and missing facts, by name."""
    said = [f"{rule['effect']} by {rule['id']}" for rule in recipient["rules"] if rule["effect"] != "PERMIT"]
    said += [f"{rule['rule']} lacks {rule['fact']}" for rule in recipient["undecided"]]
    return f": {'; '.join(said)}" if said else ": no rule permits it"
