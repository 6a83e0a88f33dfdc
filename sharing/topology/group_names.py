"""Names of consumer groups that both clients and ACL rules need."""

from __future__ import annotations

from sharing.topology.topic_kinds import TopicScope


def make_load_prefix(state: str, agency: str = "") -> str:
    """Return the prefix of the groups and transactional ids of an agency's bulk loads.

    Args:
        state: ISO 3166-1 alpha-2 code of the State.
        agency: Id of the agency, if it has a topic of its own. It ends with a dot, so that no agency has the prefix of
            another one.
    """
    parts = (TopicScope.NATIONAL, state.lower(), "agency", agency)
    return "".join(f"{part}." for part in parts if part)
