"""The operator's smoke test: publishes a test item of Test State A and follows it to the notice for Test State B.

It writes only to topics of the test States. The gate of Test State A must run with the law pack in
`sharing/testing/samples/test_states`, which discloses this item only, and to Test State B only.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException, Message

from sharing.audit.block import decode_entries
from sharing.clients.publisher import Publisher, new_id
from sharing.errors import DecodeError, SharingError
from sharing.kafka.clients import look_up_topics, make_admin, require_topics
from sharing.kafka.directory_reader import DirectoryReader
from sharing.kafka.group_queries import list_group_members
from sharing.model.effects import PERMITTING_EFFECTS
from sharing.model.vocabulary import Authority
from sharing.packs.library import find_law
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING, Framing
from sharing.serialization.notice_decoder import decode_notice
from sharing.testing.samples import smoke_test_directory, smoke_test_packs
from sharing.testing.topic_reader import TopicReader
from sharing.topology.acls import OPERATOR, Principal
from sharing.topology.topic_kinds import Role
from sharing.topology.topics import DECISIONS, INDICATORS, NOTICES, QUARANTINE, URGENT

PROVIDER, RECEIVER = "XA", "XB"
AGENCY = "smoke-test"
WAIT_SECONDS_MAX = 20.0
"""Longest wait for the decision, and again for the notice."""

_REQUEST_SECONDS_MAX = 10.0

ClientPropertiesLookup = Callable[[Principal], Mapping[str, Any]]
"""Returns the librdkafka properties of a principal."""

PUBLISHER_PRINCIPAL = Principal(Role.AGENCY, PROVIDER)
OFFICER_PRINCIPAL = Principal(Role.CONSOLE, PROVIDER)
SUBSCRIBER_PRINCIPAL = Principal(Role.PARTNER, RECEIVER)
GATE_PRINCIPAL = Principal(Role.GATE, PROVIDER)


@dataclass(frozen=True, slots=True)
class SmokeTestStage:
    """Result of one stage.

    Attributes:
        name: `topics`, `directory`, `publish`, `decision` or `notice`.
        ok: Whether the stage passed.
        detail: What was found.
        remedy: What to do if it failed.
        seconds: Time since the item was published; 0 before.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    seconds: float = 0.0


class SmokeTest:
    """One run of the smoke test.

    Args:
        bootstrap: Kafka bootstrap servers.
        client: Returns the client properties of a principal: the provider's agency and officer, the receiver's
            subscriber, and the operator.
        framing: How records are framed.
        wait_s: Longest wait for the decision, and again for the notice, in seconds.
    """

    def __init__(
        self,
        bootstrap: str,
        client: ClientPropertiesLookup = lambda _: {},
        framing: Framing = SINGLE_OBJECT_FRAMING,
        wait_s: float = WAIT_SECONDS_MAX,
    ) -> None:
        self._bootstrap = bootstrap
        self._get_client_properties = client
        self._framing = framing
        self._wait_s = wait_s
        self._published_at = 0.0
        self.item = make_test_item()

    def run(self) -> Iterator[SmokeTestStage]:
        """Yield each stage as it ends; stop after the first that fails."""
        for name, run_stage in (("topics", self._check_topics), ("directory", self._check_directory)):
            stage = _run_stage(name, run_stage)
            yield stage
            if not stage.ok:
                return
        try:
            with (
                closing(
                    self._open_reader(OFFICER_PRINCIPAL, DECISIONS.topic(PROVIDER), QUARANTINE.topic(PROVIDER))
                ) as decisions,
                closing(
                    self._open_reader(SUBSCRIBER_PRINCIPAL, NOTICES.topic(RECEIVER), URGENT.topic(RECEIVER))
                ) as notices,
            ):
                stages = (
                    ("publish", self._publish_item),
                    ("decision", lambda: self._await_decision(decisions)),
                    ("notice", lambda: self._await_notice(notices)),
                )
                for name, run_stage in stages:
                    stage = _run_stage(name, run_stage)
                    yield stage
                    if not stage.ok:
                        return
        except SharingError as error:
            yield SmokeTestStage("topics", ok=False, detail=str(error), remedy=_SEE_MESSAGE)

    def _check_topics(self) -> SmokeTestStage:
        for principal, kinds, state in (
            (PUBLISHER_PRINCIPAL, (INDICATORS,), PROVIDER),
            (OFFICER_PRINCIPAL, (DECISIONS, QUARANTINE), PROVIDER),
            (SUBSCRIBER_PRINCIPAL, (NOTICES, URGENT), RECEIVER),
        ):
            present = look_up_topics(self._bootstrap, self._get_client_properties(principal))
            agency_topic = INDICATORS.topic(state, AGENCY)
            wanted = [
                agency_topic if kind is INDICATORS and agency_topic in present else kind.topic(state) for kind in kinds
            ]
            require_topics(present, wanted, f"{PROVIDER},{RECEIVER}")
        return SmokeTestStage("topics", ok=True, detail=f"the topics of {PROVIDER} and {RECEIVER} exist")

    def _check_directory(self) -> SmokeTestStage:
        reader = DirectoryReader(self._bootstrap, self._get_client_properties(OFFICER_PRINCIPAL), framing=self._framing)
        with closing(reader):
            authorities = reader.read_to_end().get_authorities(int(time.time() * 1000)).get(RECEIVER)
        if authorities is None or [authority.kind for authority in authorities] != [Authority.POLICE]:
            kinds = ", ".join(authority.kind for authority in authorities or ())
            problem = (
                "has no valid entry" if authorities is None else f"has authorities of the kind {kinds}, not POLICE"
            )
            remedy = f"sharing directory announce {smoke_test_directory()}"
            return SmokeTestStage("directory", ok=False, detail=f"{RECEIVER} {problem}", remedy=remedy)
        return SmokeTestStage("directory", ok=True, detail=f"{RECEIVER} has an entry")

    def _publish_item(self) -> SmokeTestStage:
        properties = self._get_client_properties(PUBLISHER_PRINCIPAL)
        publisher = Publisher(self._bootstrap, PROVIDER, AGENCY, properties=properties, framing=self._framing)
        self._published_at = time.monotonic()
        with publisher:
            publisher.publish(self.item)
        return self._pass_stage("publish", f"item {self.item['id']} is confirmed")

    def _await_decision(self, decisions: TopicReader) -> SmokeTestStage:
        for message in decisions.read_messages(self._wait_s):
            if message.topic() == QUARANTINE.topic(PROVIDER):
                record = _decode_record(self._framing, QUARANTINE.schema, message)
                if record.get("indicator_id") == self.item["id"]:
                    return _report_quarantine(record)
                continue
            for decision in _decode_decisions(self._framing, message):
                if decision["indicator_id"] == self.item["id"]:
                    return self._check_decision(decision)
        remedy = f"check the gate's log; start it with: {gate_start_command()}"
        return SmokeTestStage(
            "decision", ok=False, detail=f"none within {self._wait_s:g} s; {self._describe_gate()}", remedy=remedy
        )

    def _check_decision(self, decision: Mapping[str, Any]) -> SmokeTestStage:
        pack = decision["pack"]
        law = f"pack {pack['state']} {pack['version']}"
        recipient = next((entry for entry in decision["recipients"] if entry["state"] == RECEIVER), None)
        if recipient is not None and recipient["outcome"] == "DISCLOSE":
            rules = ", ".join(rule["id"] for rule in recipient["rules"])
            return self._pass_stage("decision", f"DISCLOSE to {RECEIVER} by {rules} of {law}")
        if pack["sha256"] != find_law(PROVIDER, smoke_test_packs()).pack.sha256:
            remedy = f"the gate does not use the law pack of the test; start it with: {gate_start_command()}"
        else:
            remedy = (
                f"announce {RECEIVER} with the entry of the test: sharing directory announce {smoke_test_directory()}"
            )
        outcome = "not considered" if recipient is None else recipient["outcome"]
        reasons = "" if recipient is None else _describe_reasons(recipient)
        return SmokeTestStage("decision", ok=False, detail=f"{RECEIVER}: {outcome} under {law}{reasons}", remedy=remedy)

    def _await_notice(self, notices: TopicReader) -> SmokeTestStage:
        for message in notices.read_messages(self._wait_s):
            try:
                notice = decode_notice(self._framing.to_single_object(message.value()), RECEIVER)
            except DecodeError:
                continue  # from another run or release; only the notice of this item matters
            if notice.indicator_id == self.item["id"]:
                matches = notice.from_state == PROVIDER and notice.content["value"] == self.item["value"]
                if not matches:
                    detail = f"notice {notice.id} does not match the item"
                    return SmokeTestStage("notice", ok=False, detail=detail, remedy=_REPORT_DEFECT)
                return self._pass_stage("notice", f"notice {notice.id} can be read on {message.topic()}")
        detail = f"none within {self._wait_s:g} s, although the decision says DISCLOSE: one transaction writes both"
        remedy = (
            f"check that every partition of {NOTICES.topic(RECEIVER)} has a leader, and that the topic keeps records"
        )
        return SmokeTestStage("notice", ok=False, detail=detail, remedy=remedy)

    def _pass_stage(self, name: str, detail: str) -> SmokeTestStage:
        seconds = time.monotonic() - self._published_at
        return SmokeTestStage(name, ok=True, detail=f"{detail}, {seconds:.3f} s after publishing", seconds=seconds)

    def _describe_gate(self) -> str:
        group = str(GATE_PRINCIPAL.group_prefix)
        try:
            admin = make_admin(self._bootstrap, self._get_client_properties(OPERATOR))
            members = len(list_group_members(admin, group, _REQUEST_SECONDS_MAX))
        except (SharingError, KafkaException, TimeoutError):
            return f"cannot find out whether a gate of {PROVIDER} is running (group {group})"
        if members:
            return f"group {group} has {members} worker(s), but they did not process the item"
        return f"no gate of {PROVIDER} is running: group {group} has no members"

    def _open_reader(self, principal: Principal, *topics: str) -> TopicReader:
        properties = {**self._get_client_properties(principal), "group.id": f"{principal.group_prefix}.smoke-test"}
        return TopicReader(self._bootstrap, topics, properties)


_SEE_MESSAGE = "see the message"
_REPORT_DEFECT = "this is a bug; report it with the id of the notice"


def make_test_item() -> dict[str, Any]:
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


def gate_start_command() -> str:
    """Return the command that starts a gate of Test State A for this test."""
    return f"SHARING_PACKS={smoke_test_packs()} sharing gate --state {PROVIDER}"


def _run_stage(name: str, run_stage: Callable[[], SmokeTestStage]) -> SmokeTestStage:
    try:
        return run_stage()
    except SharingError as error:
        return SmokeTestStage(name, ok=False, detail=str(error), remedy=_SEE_MESSAGE)


def _decode_record(framing: Framing, schema: str, message: Message) -> Mapping[str, Any]:
    try:
        return get_codec(schema).decode(framing.to_single_object(message.value()))
    except DecodeError:
        return {}  # from another release; only the record of this item matters


def _decode_decisions(framing: Framing, message: Message) -> list[dict[str, Any]]:
    try:
        return decode_entries(framing.to_single_object(message.value()))
    except DecodeError:
        return []  # from another release


def _report_quarantine(record: Mapping[str, Any]) -> SmokeTestStage:
    detail = f"the gate quarantined the item at {record['stage']}: {record['cause']}: {record['message']}"
    return SmokeTestStage("decision", ok=False, detail=detail, remedy="use the same release here and for the gate")


def _describe_reasons(recipient: Mapping[str, Any]) -> str:
    """Return why the item is not disclosed: names of rules and missing facts."""
    reasons = [
        f"{rule['effect']} by {rule['id']}" for rule in recipient["rules"] if rule["effect"] not in PERMITTING_EFFECTS
    ]
    reasons += [f"{rule['rule']} lacks {rule['fact']}" for rule in recipient["undecided"]]
    return f": {'; '.join(reasons)}" if reasons else ": no rule permits it"
