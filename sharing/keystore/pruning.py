"""Which private keys of a folder have ended, so that they can be destroyed; and their destruction.

A signing key is of no use once its validity has ended. A seal key must open what was sealed to it until the last record
has left the exchange topics, 30 days later. A wrapping key must open what it has wrapped: it stops wrapping when the
next one is made, and the State's own topics keep records for a year. Then nothing is left that the key could open, and
a State can truthfully confirm that what it deleted can no longer be read, apart from backups.

Always kept: the newest key of each role, its successor, and every key whose end is not proved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from sharing.keystore.files import remove_file
from sharing.keystore.key_access import Token
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.private_key import WRAP_ROLE, WrappingKeyName
from sharing.keystore.private_key_file import KeyFile, read_key_file
from sharing.model.times import DAY_MS, format_time
from sharing.trust.documents import CLOCK_TOLERANCE_MS
from sharing.trust.key_statement import KeyStatement
from sharing.trust.online_key import KEEP_ENDED_DAYS, OnlineKey
from sharing.trust.public_keys import KeyId, KeyRole, PublishedKey
from sharing.trust.root import TrustedRoot

WRAPPED_DAYS: Final = 366
"""How many days what a wrapping key has wrapped stays in the State's own topics: a year, plus the lag of compaction."""


@dataclass(frozen=True, slots=True)
class KeyVerdict:
    """Whether a private key is still needed.

    Attributes:
        path: Its file.
        content: What is in the file.
        is_needed: Whether it stays.
        reason: Why, in words.
    """

    path: Path
    content: KeyFile
    is_needed: bool
    reason: str

    @property
    def role(self) -> str:
        """Role of the key."""
        return self.content.header.role

    @property
    def key_id(self) -> KeyId:
        """Id of the key."""
        return self.content.header.key.key_id


def judge_private_keys(folder: KeyFolder, roots: list[TrustedRoot], now: int) -> list[KeyVerdict]:
    """Return for each private key of a folder whether it is still needed. All key statements are verified.

    Args:
        folder: The key folder.
        roots: All its roots, verified.
        now: The time, in UTC milliseconds.

    Raises:
        InputError: A file is not one that `sharing keys` has written, or a version of a document is missing.
        TrustError: A key statement was altered, or is not signed by enough keys.
    """
    files = {path: read_key_file(path) for path in folder.list_private_keys()}
    statements = folder.read_all_statements(roots)
    state = roots[-1].state
    own = [content for content in files.values() if content.header.state == state]
    wrapping = _judge_wrapping_keys(list_wrapping_names(own), now)
    return [
        KeyVerdict(path, content, *_judge(content, state, statements, wrapping, now)) for path, content in files.items()
    ]


def destroy_private_key(folder: KeyFolder, verdict: KeyVerdict, token: Token | None) -> None:
    """Destroy a private key that is not needed: in the token, if that keeps it; then its file, and drafts of it.

    Raises:
        InfrastructureError: The token does not answer, or a file cannot be deleted.
    """
    key = verdict.content.header.key
    if is_in_token(verdict.content) and token is not None and isinstance(key, PublishedKey):
        token.destroy_signing_key(key)
    for draft in folder.private.glob(f".{verdict.path.name}.*.new"):  # a second name of the same file
        remove_file(draft)
    remove_file(verdict.path)


def is_in_token(content: KeyFile) -> bool:
    """Return whether a token keeps the key itself, so that the file alone is not the key."""
    return content.token is not None and content.encrypted is None


def list_wrapping_names(files: Iterable[KeyFile]) -> list[WrappingKeyName]:
    """Return the names of the wrapping keys among these files, the newest first."""
    names = [content.header.key for content in files if isinstance(content.header.key, WrappingKeyName)]
    return sorted(names, key=lambda name: (name.made_at, name.key_id), reverse=True)


def get_wrapping_end(newer: WrappingKeyName) -> int:
    """Return until when a wrapping key is needed, in UTC milliseconds.

    Args:
        newer: The wrapping key that followed it.
    """
    return newer.made_at + WRAPPED_DAYS * DAY_MS


def _judge_wrapping_keys(names: Sequence[WrappingKeyName], now: int) -> Mapping[KeyId, tuple[bool, str]]:
    """Return the verdict on each wrapping key; the newest comes first."""
    verdicts = {name.key_id: (True, "the newest wrapping key: it wraps") for name in names[:1]}
    for newer, name in pairwise(names):
        end = get_wrapping_end(newer)
        verdicts[name.key_id] = (
            now <= end + CLOCK_TOLERANCE_MS,
            f"what it wrapped until {format_time(newer.made_at)} is in own topics until {format_time(end)}",
        )
    return verdicts


def _judge(
    content: KeyFile,
    state: str,
    statements: Sequence[KeyStatement],
    wrapping: Mapping[KeyId, tuple[bool, str]],
    now: int,
) -> tuple[bool, str]:
    header = content.header
    if header.state != state:
        return True, f"a key of {header.state}, not of {state}; move it elsewhere"
    if header.role == WRAP_ROLE:
        return wrapping[header.key.key_id]
    if not statements or header.role not in set(KeyRole):
        return True, "no key statement names it"
    return _judge_online_key(KeyRole(header.role), header.key.key_id, statements, now)


def _judge_online_key(role: KeyRole, key_id: KeyId, statements: Sequence[KeyStatement], now: int) -> tuple[bool, str]:
    latest = next((keys[-1] for statement in statements if (keys := statement.list_keys(role))), None)
    if latest is not None and latest.key_id == key_id:
        return True, f"the newest {role} key"
    revocation = statements[0].find_revocation(key_id)
    key = next((key for statement in statements for key in statement.keys if key.key_id == key_id), None)
    if key is not None:
        return _judge_ended_key(key, None if revocation is None else revocation.effective_at, now)
    if revocation is not None and now > revocation.effective_at + CLOCK_TOLERANCE_MS:
        return False, f"revoked from {format_time(revocation.effective_at)}, before it came into force"
    if latest is not None and latest.successor == key_id:
        return True, f"the successor of the {role} key"
    if any(key.successor == key_id for statement in statements for key in statement.keys):
        return False, "named as a successor, but another key followed, so it never came into force"
    return True, "no key statement names it: delete it yourself if a command was interrupted"


def _judge_ended_key(key: OnlineKey, revoked_at: int | None, now: int) -> tuple[bool, str]:
    """Return the verdict on a key that was in force and has been followed by another."""
    is_revoked = revoked_at is not None and revoked_at < key.valid_until
    end = key.valid_until if revoked_at is None else min(key.valid_until, revoked_at)
    ended = f"{'revoked from' if is_revoked else 'valid until'} {format_time(end)}"
    if key.role is not KeyRole.SEAL:
        return now <= end + CLOCK_TOLERANCE_MS, ended
    until = end + KEEP_ENDED_DAYS * DAY_MS
    sentence = f"{ended}; what was sealed to it is in exchange topics until {format_time(until)}"
    return now <= until + CLOCK_TOLERANCE_MS, sentence
