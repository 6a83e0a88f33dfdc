"""Who may do what follows from the table, and all else is nobody's."""

from __future__ import annotations

import pytest

from sharing.errors import PackError
from sharing.topology.acls import (
    OPERATOR,
    AclPattern,
    AclResource,
    Operation,
    Principal,
    acl_rules,
    acl_rules_of,
    operations_on,
    parse_principal,
    principals,
)
from sharing.topology.partners import Partners, parse_partners
from sharing.topology.topics import CLOCK, EVERYONE, TABLE, Role, topics_for

PARTNERS = parse_partners("states: {CH: {agencies: [fedpol, customs]}, DE: {}}\n", "partners.yaml")


def may(principal: Principal, operation: Operation, topic: str) -> bool:
    """Return whether some right permits it and none denies it, as Kafka reads rights."""
    about = {
        right.allow
        for right in acl_rules_of(principal)
        if right.resource is AclResource.TOPIC
        and operation in right.operations
        and (right.name in (topic, "*") if right.pattern is AclPattern.LITERAL else topic.startswith(right.name))
    }
    found = about == {True}
    assert (operation in operations_on(principal, topic)) is found
    return found


def writers(topic: str) -> set[str]:
    return {one.name for one in principals(PARTNERS) if may(one, Operation.WRITE, topic)}


def readers(topic: str) -> set[str]:
    return {one.name for one in principals(PARTNERS) if may(one, Operation.READ, topic)}


@pytest.mark.parametrize(
    ("topic", "who_writes", "who_reads"),
    [
        ("national.ch.indicators.fedpol", {"agency.ch.fedpol"}, {"gate.ch"}),
        ("national.ch.indicators.customs", {"agency.ch.customs"}, {"gate.ch"}),
        ("national.de.indicators", {"agency.de"}, {"gate.de"}),
        ("national.ch.decisions", {"gate.ch"}, {"console.ch"}),
        ("national.ch.drafts", {"gate.ch"}, {"gate.ch"}),
        ("national.ch.quarantine", {"gate.ch"}, {"console.ch"}),
        ("exchange.de.notices", {"gate.ch", "gate.de"}, {"partner.de", "console.de"}),
        ("exchange.de.offers", {"gate.ch", "gate.de"}, {"partner.de", "console.de"}),
    ],
)
def test_each_topic_has_its_writers_and_readers_and_no_other(
    topic: str, who_writes: set[str], who_reads: set[str]
) -> None:
    assert topic in topics_for(PARTNERS.states, 1, {"CH": ["fedpol", "customs"]})
    assert writers(topic) == who_writes
    assert readers(topic) == who_reads


def test_everyone_reads_the_directory_and_a_states_officers_announce_it() -> None:
    assert readers("exchange.directory") == {one.name for one in principals(PARTNERS)}
    assert writers("exchange.directory") == {"console.ch", "console.de"}


def test_everyone_asks_the_clock_and_nobody_reads_it() -> None:
    assert writers("exchange.clock") == {one.name for one in principals(PARTNERS)}
    assert readers("exchange.clock") == set()


def test_the_operator_reads_no_record_but_the_directorys_and_deletes_nothing() -> None:
    for topic in topics_for(PARTNERS.states, 1, {"CH": ["fedpol"]}):
        assert may(OPERATOR, Operation.WRITE, topic) is (topic == "exchange.clock")
        assert may(OPERATOR, Operation.READ, topic) is (topic == "exchange.directory")
        assert may(OPERATOR, Operation.DESCRIBE, topic)
    assert not any(Operation.DELETE in right.operations for right in acl_rules(PARTNERS))


def test_groups_and_transactional_ids_begin_with_what_is_ones_own() -> None:
    found = {
        (right.principal.name, right.resource, right.name)
        for right in acl_rules(PARTNERS)
        if right.resource in {AclResource.GROUP, AclResource.TRANSACTIONAL_ID} and right.principal is not OPERATOR
    }
    assert {one for one in found if one[0].endswith(".ch")} == {
        ("gate.ch", AclResource.GROUP, "national.ch.gate"),
        ("gate.ch", AclResource.TRANSACTIONAL_ID, "national.ch.gate"),
        ("console.ch", AclResource.GROUP, "national.ch.console"),
        ("partner.ch", AclResource.GROUP, "exchange.ch."),
    }


def test_every_kind_of_topic_has_writers_and_readers() -> None:
    for kind in TABLE:
        assert kind.writers
        assert kind.readers or kind is CLOCK
        assert kind.writers <= EVERYONE - {Role.OPERATOR} or kind is CLOCK


def test_a_principals_name_is_read_back_and_any_other_is_nobodys() -> None:
    for one in principals(PARTNERS):
        assert parse_principal(one.name) == one
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
        ("states: {CH: {agencies: [a, a]}}\n", "an agency stands twice"),
        ("states: {CHE: {}}\n", "CH"),
        ("state: {CH: {}}\n", "states"),
        ("states: {CH: {agency: [a]}}\n", "agencies"),
        ("partitions: 0\nstates: {CH: {}}\n", "partitions"),
    ],
)
def test_a_spoilt_partners_file_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(PackError, match=message) as raised:
        parse_partners(text, "partners.yaml")
    assert str(raised.value).startswith("partners.yaml:")


def test_partners_without_agencies_share_a_topic() -> None:
    assert Principal(Role.AGENCY, "CH") in principals(Partners.of(["CH"]))
