"""Signs and writes the rulings of a State's officers, and keeps the journals of a campaign about them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sharing.kafka.ruling_writer import write_ruling
from sharing.rulings.cover_ending import EndingCover
from sharing.rulings.ruling import Answering, Claiming, Opening, Ruling
from sharing.rulings.signing import read_digest, sign_ruling
from tests.faults.gate_process import PARTITIONS
from tests.faults.sealed.officer_journal import JournaledRuling, find_signed_journal, make_signed_line
from tests.secure.secure_states import SecureState, read_now
from tests.trust.trust_fixtures import make_signer

JUDGE, COLLEAGUE, CLERK = "judge", "colleague", "clerk"
"""Officers with every role of the State's law, and one without any."""

LASTS_MS: Final = 3_600_000

CampaignAct = Answering | Claiming | Opening | EndingCover


class OfficerDesk:
    """Writes what officers of one State rule.

    Args:
        bootstrap: Kafka bootstrap servers.
        state: The State.
        journal: File with the confirmed rulings, one per line; what was signed is written next to it.
        folder: Folder of the State's keys, to one of which rulings are sealed.
    """

    def __init__(self, bootstrap: str, state: str, journal: Path, folder: Path) -> None:
        self._bootstrap, self._state = bootstrap, state
        self._keys = SecureState(state, folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._journal, self._signed = os.open(journal, flags), os.open(find_signed_journal(journal), flags)

        self.count = 0
        """How many rulings were written."""

    def close(self) -> None:
        """Close the journals."""
        os.close(self._journal)
        os.close(self._signed)

    def write(
        self,
        officer: str,
        act: CampaignAct,
        keys: Mapping[int, str],
        *,
        must_fail: bool = False,
        signer: str = "",
        copies: int = 1,
    ) -> str:
        """Sign a ruling, write it to the partitions that it is about, and return its digest.

        Args:
            officer: Who rules.
            act: What it does.
            keys: The item that it names, by partition. One that covers later Asks, or ends that, goes to all.
            must_fail: Whether it must change nothing.
            signer: Whose key signs it instead of the officer's.
            copies: How often it is written.

        Raises:
            InfrastructureError: The broker does not confirm it.
        """
        now = read_now()
        ruling = Ruling(
            state=self._state, officer=officer, signed_at=now, expires_at=now + LASTS_MS, text="as asked", act=act
        )
        value = sign_ruling(ruling, make_signer(signer or f"{self._state} {officer}"))
        digest = read_digest(value, self._state)
        os.write(self._signed, make_signed_line(digest, ruling))
        if ruling.is_everywhere:
            keys = dict.fromkeys(range(PARTITIONS), next(iter(keys.values())))
        sealed = self._keys.seal_ruling(value)
        for _ in range(copies):
            for partition, offset in write_ruling(self._bootstrap, self._state, sealed, keys).items():
                line = JournaledRuling(digest, partition, offset, describe_act(act), must_fail)
                os.write(self._journal, line.to_line())
        self.count += 1
        return digest


def describe_act(act: CampaignAct) -> str:
    """Return in a word what a ruling does."""
    if isinstance(act, Answering):
        return str(act.answer)
    if isinstance(act, Opening):
        return str(act.opens)
    if isinstance(act, Claiming):
        return "unclaim" if act.is_ended else "claim"
    return "end of a cover"
