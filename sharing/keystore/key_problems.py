"""What needs attention in a State's key folder: what makes readers refuse its signatures, what ends, what is unsafe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sharing.errors import InputError
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.private_key_file import read_key_header
from sharing.model.times import DAY_MS, format_time
from sharing.trust.documents import CLOCK_TOLERANCE_MS
from sharing.trust.faults import TrustError
from sharing.trust.key_statement import TrustedKeys, require_current_statement
from sharing.trust.public_keys import KeyRole
from sharing.trust.readers import LOST_SIGNER_FAULTS, require_current_readers
from sharing.trust.root import TrustedRoot, require_current_root

EARLY_DAYS_MAX = 30
"""Anything that ends is reported in the last fifth of its validity, but at the earliest this many days before its
end."""


@dataclass(frozen=True, slots=True)
class KeyProblem:
    """One thing that needs attention.

    Attributes:
        problem: What is wrong.
        remedy: What to do.
        is_urgent: Whether something is refused or unsafe now; otherwise it will be.
    """

    problem: str
    remedy: str
    is_urgent: bool = True

    @property
    def sentence(self) -> str:
        """What is wrong, and what to do."""
        return f"{self.problem}; {self.remedy}"


def find_key_problems(folder: KeyFolder, root: TrustedRoot, keys: TrustedKeys | None, now: int) -> list[KeyProblem]:
    """Return everything in a key folder that needs attention.

    Args:
        folder: The key folder.
        root: Its newest root.
        keys: Its newest key statement, verified.
        now: The time, in UTC milliseconds.
    """
    problems = [*_find_unsafe_files(folder, root.state), *_find_root_problems(root, now)]
    if keys is None:
        return [*problems, KeyProblem("there are no online keys", "run `sharing keys issue`")]
    return [*problems, *_find_statement_problems(keys, now), *_find_reader_problems(folder, keys, now)]


def is_ending(since: int, until: int, now: int) -> bool:
    """Return whether something ends soon: a ceremony needs time, and the key holders have to meet."""
    return 0 <= until - now < min((until - since) // 5, EARLY_DAYS_MAX * DAY_MS)


def find_early_statement(keys: TrustedKeys, now: int) -> KeyProblem | None:
    """Return what is wrong with a key statement that was issued later than now; None if it was not.

    Args:
        keys: The newest key statement.
        now: The time, in UTC milliseconds.
    """
    statement = keys.statement
    if statement.issued_at <= now + CLOCK_TOLERANCE_MS:
        return None
    return KeyProblem(
        f"{keys.state}: key statement {statement.version} was issued at {format_time(statement.issued_at)}, and it is "
        f"now {format_time(now)}",
        "check the clock of this machine; if it was wrong then and is right now, no State has accepted that statement: "
        f"move keys.{statement.version}.json out of every copy of the folder, issue, rotate or revoke again, and start "
        "the workers again",
    )


def _find_unsafe_files(folder: KeyFolder, state: str) -> Iterator[KeyProblem]:
    for path in folder.list_drafts():
        yield KeyProblem(f"{path} was left by a command that was killed", "delete it")
    for path in folder.list_exposed():
        yield KeyProblem(f"other users may write to {path}", f"restrict it with `chmod go-w {path}`")
    for path in folder.list_private_keys():
        try:
            header = read_key_header(path)
            if header.state != state:
                yield KeyProblem(f"{path} is a key of {header.state}, not of {state}", "move it elsewhere")
        except InputError as error:
            problem, _, remedy = str(error).partition("; ")
            yield KeyProblem(problem, remedy or "put the file back from a backup, or delete it")


def _find_root_problems(root: TrustedRoot, now: int) -> Iterator[KeyProblem]:
    metadata = root.metadata
    try:
        require_current_root(root, now)
    except TrustError as error:
        yield KeyProblem(str(error), "run `sharing keys rotate root`")
    if is_ending(metadata.issued_at, metadata.expires_at, now):
        yield _make_ending("the root", metadata.expires_at, "sharing keys rotate root")


def _find_statement_problems(keys: TrustedKeys, now: int) -> Iterator[KeyProblem]:
    statement = keys.statement
    early = find_early_statement(keys, now)
    if early is not None:
        yield early
        return
    try:
        require_current_statement(keys, now)
    except TrustError as error:
        yield KeyProblem(str(error), "`sharing keys issue` or `sharing keys rotate` signs a new one")
    if is_ending(statement.issued_at, statement.expires_at, now):
        yield _make_ending("the key statement", statement.expires_at, "sharing keys rotate ROLES…")
    for role in KeyRole:
        key = statement.find_usable_key(role, now)
        if key is None and statement.list_keys(role):
            yield KeyProblem(f"{role}: no key is in force", f"run `sharing keys issue --role {role}`")
        if key is not None and is_ending(key.valid_from, key.valid_until, now):
            yield _make_ending(f"the {role} key", key.valid_until, f"sharing keys rotate {role}")


def _find_reader_problems(folder: KeyFolder, keys: TrustedKeys, now: int) -> Iterator[KeyProblem]:
    """Yield what prevents the readers of the inbox from being used; a State need not have any."""
    how = "run `sharing keys readers renew`"
    try:
        require_current_root(keys.root, now)
        require_current_statement(keys, now)
    except TrustError:
        return  # already reported, and nothing can be verified
    try:
        readers = folder.read_readers(keys, now)
        if readers is None:
            return
        require_current_readers(readers, now)
    except (TrustError, InputError) as error:
        if isinstance(error, TrustError) and error.fault in LOST_SIGNER_FAULTS:
            how = "add all readers again with `sharing keys readers add` and the public file of each"
        yield KeyProblem(f"{error}: nothing can be put into the inbox", how)
        return
    if is_ending(readers.issued_at, readers.expires_at, now):
        yield _make_ending("the list of readers", readers.expires_at, "sharing keys readers renew")


def _make_ending(what: str, until: int, command: str) -> KeyProblem:
    return KeyProblem(f"{what} ends at {format_time(until)}", f"run `{command}`", is_urgent=False)
