"""ACL rules follow from the topic table, and everything else is denied."""

from __future__ import annotations

import pytest

from sharing.errors import InputError
from sharing.topology.acls import (
    OPERATOR,
    AclPattern,
    AclResource,
    Operation,
    Principal,
    allowed_operations,
    list_acl_rules,
    list_principals,
    make_acl_rules,
    may_see,
    parse_principal,
)
from sharing.topology.partners import Partners, parse_partners
from sharing.topology.topic_kinds import ALL_ROLES, Role
from sharing.topology.topics import CLOCK, TOPIC_KINDS, list_topics

PARTNERS = parse_partners("states: {CH: {agencies: [fedpol, customs]}, DE: {}}\n", "partners.yaml")


def is_allowed_to(principal: Principal, operation: Operation, topic: str) -> bool:
    """Return whether a rule permits it and no rule denies it, by Kafka's semantics."""
    permissions = {
        rule.allow
        for rule in make_acl_rules(principal)
        if rule.resource is AclResource.TOPIC
        and operation in rule.operations
        and (rule.name in (topic, "*") if rule.pattern is AclPattern.LITERAL else topic.startswith(rule.name))
    }
    is_allowed = permissions == {True}
    assert (operation in allowed_operations(principal, topic)) is is_allowed
    return is_allowed


def writers(topic: str) -> set[str]:
    return {
        principal.name for principal in list_principals(PARTNERS) if is_allowed_to(principal, Operation.WRITE, topic)
    }


def readers(topic: str) -> set[str]:
    return {
        principal.name for principal in list_principals(PARTNERS) if is_allowed_to(principal, Operation.READ, topic)
    }


@pytest.mark.parametrize(
    ("topic", "who_writes", "who_reads"),
    [
        ("national.ch.indicators.fedpol", {"agency.ch.fedpol"}, {"gate.ch"}),
        ("national.ch.indicators.customs", {"agency.ch.customs"}, {"gate.ch"}),
        ("national.de.indicators", {"agency.de"}, {"gate.de"}),
        ("national.ch.decisions", {"gate.ch"}, {"console.ch"}),
        ("national.ch.drafts", {"gate.ch"}, {"gate.ch", "console.ch"}),
        ("national.ch.amendments", {"gate.ch"}, {"gate.ch"}),
        ("national.ch.conversations", {"gate.ch"}, {"gate.ch", "console.ch"}),
        ("national.ch.quarantine", {"gate.ch"}, {"console.ch"}),
        ("exchange.de.notices", {"gate.ch", "gate.de"}, {"gate.de", "partner.de", "console.de"}),
        ("exchange.de.urgent", {"gate.ch", "gate.de"}, {"gate.de", "partner.de", "console.de"}),
        ("exchange.de.offers", {"gate.ch", "gate.de"}, {"gate.de", "partner.de", "console.de"}),
        ("national.de.inbox", {"gate.de"}, {"partner.de", "console.de"}),
        ("national.de.inbox.urgent", {"gate.de"}, {"partner.de", "console.de"}),
        ("national.de.officers", {"console.de"}, {"console.de", "gate.de"}),
        ("national.de.rulings", {"console.de"}, {"console.de", "gate.de"}),
        ("national.de.acts", {"gate.de"}, {"console.de"}),
        ("national.de.outcomes", {"gate.de"}, {"agency.de"}),
        ("national.de.uses", {"partner.de", "console.de"}, {"console.de"}),
        ("exchange.de.replies", {"gate.ch", "gate.de"}, {"gate.de", "partner.de", "console.de"}),
    ],
)
def test_each_topic_has_exactly_the_intended_writers_and_readers(
    topic: str, who_writes: set[str], who_reads: set[str]
) -> None:
    assert topic in list_topics(PARTNERS.states, 1, {"CH": ["fedpol", "customs"]})
    assert writers(topic) == who_writes
    assert readers(topic) == who_reads


def test_all_principals_may_read_the_directory_and_only_the_states_officers_and_gate_may_write_it() -> None:
    for state in ("ch", "de"):
        assert readers(f"directory.{state}") == {principal.name for principal in list_principals(PARTNERS)}
        assert writers(f"directory.{state}") == {f"console.{state}", f"gate.{state}"}


def test_all_principals_may_read_checkpoints_and_only_the_states_gate_may_write_them() -> None:
    for state in ("ch", "de"):
        assert readers(f"checkpoints.{state}") == {principal.name for principal in list_principals(PARTNERS)}
        assert writers(f"checkpoints.{state}") == {f"gate.{state}"}


def test_no_rule_denies_anything_because_no_prefix_covers_too_much() -> None:
    assert [rule for rule in list_acl_rules(PARTNERS) if not rule.allow] == []


def test_all_principals_may_write_the_clock_topic_and_none_may_read_it() -> None:
    assert writers("exchange.clock") == {principal.name for principal in list_principals(PARTNERS)}
    assert readers("exchange.clock") == set()


def test_the_operator_may_read_only_what_is_public_among_states_and_delete_nothing() -> None:
    for topic in list_topics(PARTNERS.states, 1, {"CH": ["fedpol"]}):
        assert is_allowed_to(OPERATOR, Operation.WRITE, topic) is (topic == "exchange.clock")
        assert is_allowed_to(OPERATOR, Operation.READ, topic) is topic.startswith(("directory.", "checkpoints."))
        assert is_allowed_to(OPERATOR, Operation.DESCRIBE, topic)
    assert not any(Operation.DELETE in rule.operations for rule in list_acl_rules(PARTNERS))


def test_groups_and_transactional_ids_have_the_prefix_of_their_principal() -> None:
    rules = {
        (rule.principal.name, rule.resource, rule.name)
        for rule in list_acl_rules(PARTNERS)
        if rule.resource in {AclResource.GROUP, AclResource.TRANSACTIONAL_ID} and rule.principal is not OPERATOR
    }
    assert {rule for rule in rules if rule[0].endswith(".ch")} == {
        ("gate.ch", AclResource.GROUP, "national.ch.gate"),
        ("gate.ch", AclResource.TRANSACTIONAL_ID, "national.ch.gate"),
        ("console.ch", AclResource.GROUP, "national.ch.console"),
        ("console.ch", AclResource.TRANSACTIONAL_ID, "national.ch.console"),
        ("partner.ch", AclResource.GROUP, "exchange.ch."),
    }
    prefixes = {
        "agency.ch.fedpol": "national.ch.agency.fedpol.",
        "agency.ch.customs": "national.ch.agency.customs.",
        "agency.de": "national.de.agency.",
    }
    kinds = (AclResource.GROUP, AclResource.TRANSACTIONAL_ID)
    assert {rule for rule in rules if rule[0].startswith("agency.")} == {
        (name, kind, prefix) for name, prefix in prefixes.items() for kind in kinds
    }


def test_a_principal_sees_the_topics_that_it_may_read_or_write_and_the_operator_all() -> None:
    for topic in list_topics(PARTNERS.states, 1, {"CH": ["fedpol", "customs"]}):
        for principal in list_principals(PARTNERS):
            uses_it = principal.name in writers(topic) | readers(topic)
            assert may_see(principal, topic) is (uses_it or principal == OPERATOR), (principal.name, topic)
    gate = Principal(Role.GATE, "CH")
    assert allowed_operations(gate, "national.ch.uses") == {Operation.DESCRIBE_CONFIGS}
    assert not may_see(gate, "national.ch.uses")


def test_every_topic_kind_has_writers_and_readers() -> None:
    for kind in TOPIC_KINDS:
        assert kind.writers
        assert kind.readers or kind is CLOCK
        assert kind.writers <= ALL_ROLES - {Role.OPERATOR} or kind is CLOCK


def test_the_name_of_a_principal_is_parsed_and_other_names_are_refused() -> None:
    for principal in list_principals(PARTNERS):
        assert parse_principal(principal.name) == principal
    for name in (
        "",
        "gate",
        "gate.xx",
        "gate.CH",
        "gate.ch.x",
        "operator.ch",
        "judge.ch",
        "agency",
        "broker",
        "User:gate.ch",
    ):
        assert parse_principal(name) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("states: {}\n", "states"),
        ("states: {CH: {agencies: [FEDPOL]}}\n", "agencies"),
        ("states: {CH: {agencies: [a, a]}}\n", "an agency is listed twice"),
        ("states: {CH: {agencies: [a], desk_agency: b}}\n", "is not one of the agencies of this State"),
        ("states: {CHE: {}}\n", "CH"),
        ("state: {CH: {}}\n", "states"),
        ("states: {CH: {agency: [a]}}\n", "agencies"),
        ("partitions: 0\nstates: {CH: {}}\n", "partitions"),
    ],
)
def test_an_invalid_partners_file_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        parse_partners(text, "partners.yaml")
    assert str(raised.value).startswith("partners.yaml:")


def test_a_state_without_listed_agencies_has_one_agency_principal() -> None:
    assert Principal(Role.AGENCY, "CH") in list_principals(Partners.from_states(["CH"]))
