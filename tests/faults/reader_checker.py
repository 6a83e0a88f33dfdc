"""Checks what subscribers have handled, and what readers and brokers must say in their logs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from tests.faults.contents import TopicContents
from tests.faults.violations import Breach, Violation

REPEATED_MAX = 1
"""How many notices a restart may repeat: the one that was in the handler, since subscribers remember in a file."""

_SKIPPED = re.compile(
    r"^(?P<at>\S+) .*Couldn't find leader endpoint .* transaction markers for national\.(?P<state>\w+)\.gate\.",
    re.MULTILINE,
)


def find_handling_violations(
    state: str, contents: TopicContents, handled: Counter[str], restarts: int
) -> list[Violation]:
    """Return the notices that a subscriber did not handle exactly once.

    Args:
        state: State of the subscriber.
        contents: The records that the State received, from every provider.
        handled: How often the subscriber handled each notice id.
        restarts: How often the subscriber was restarted. After that, the last handled notices may come again, as may a
            notice whose id occurs in another record.
    """
    received = Counter(str(record.data["id"]) for record in contents.list_notices(state))
    repeated = handled - Counter(dict.fromkeys(received, 1))
    repeated_count = sum(count for identity, count in repeated.items() if identity in received)
    allowed = REPEATED_MAX * restarts + sum(count - 1 for count in received.values())
    violations = [
        Violation(Breach.LOST, f"{identity} was not handled by {state}")
        for identity in received
        if not handled[identity]
    ]
    violations += [
        Violation(Breach.UNFOUNDED, f"{state} handled {identity}, which it did not receive")
        for identity in handled
        if identity not in received
    ]
    if repeated_count > allowed:
        violations.append(
            Violation(Breach.DUPLICATED, f"{state} handled {repeated_count} notices again, with {restarts} restarts")
        )
    return violations


def find_unreported(messages: Iterable[str], log: str) -> list[Violation]:
    """Return the unreadable records that their reader left out without a word.

    Args:
        messages: The start of the message that each of them must cause.
        log: The log of the reader.
    """
    return [Violation(Breach.LOST, f"not in the reader's log: {message}") for message in messages if message not in log]


def find_skipped_markers(log: str) -> Counter[str]:
    """Return for each State's gate the number of transactions whose markers a broker left out, according to its log.

    Kafka 4.4.0 does this if a partition has no leader at the moment, for example while its only broker starts: it
    treats the partition as deleted. Records that were to be aborted there become visible with the producer's next
    commit; records that were to be committed stay invisible, or are processed again.
    """
    return Counter(state.upper() for _, state in {(match["at"], match["state"]) for match in _SKIPPED.finditer(log)})
