"""New online keys: each the successor that was named before, or a new one, and each with a new successor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sharing.cli.shared.console import err, print_json, print_line
from sharing.errors import InputError
from sharing.keystore.key_access import KeyAccess, OpenKey
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.private_key_file import KeyFile, get_public_key
from sharing.model.times import format_time
from sharing.trust.ceremonies import find_successor
from sharing.trust.key_statement import KeyStatement, TrustedKeys
from sharing.trust.public_keys import ROLE_ALGORITHMS, KeyAlgorithm, KeyRole, PublishedKey
from sharing.trust.verification import shorten


@dataclass(frozen=True, slots=True)
class NewOnlineKeys:
    """Keys that were made and not written yet.

    Attributes:
        named: For each role, the public key that comes into force, and the id of its successor.
        private: The files of private keys that are not written yet.
    """

    named: dict[KeyRole, tuple[PublishedKey, str]]
    private: list[KeyFile]

    def write(self, folder: KeyFolder) -> list[Path]:
        """Write the private keys, before a statement names them; return their files."""
        return [folder.write_private_key(content) for content in self.private]


def make_online_keys(
    folder: KeyFolder,
    state: str,
    previous: TrustedKeys | None,
    roles: Iterable[KeyRole],
    access: KeyAccess,
    seal_algorithm: KeyAlgorithm,
    now: int,
) -> NewOnlineKeys:
    """Return a key that comes into force for each role, and a successor for it.

    Raises:
        InputError: The private key of a successor is not in the folder, or the passphrase is wrong.
    """
    named: dict[KeyRole, tuple[PublishedKey, str]] = {}
    private: list[KeyFile] = []
    for role in roles:
        algorithm = seal_algorithm if role is KeyRole.SEAL else ROLE_ALGORITHMS[role][0]
        bound = None if previous is None else find_successor(previous, role, now)
        if bound is None:
            content = access.make_key(state, role, algorithm)
            private.append(content)
            public_key = get_public_key(content)
        else:
            public_key = _read_successor(folder, role, bound, access).public_key
        successor = access.make_key(state, role, algorithm)
        private.append(successor)
        named[role] = (public_key, successor.header.key.key_id)
    return NewOnlineKeys(named, private)


def _read_successor(folder: KeyFolder, role: KeyRole, key_id: str, access: KeyAccess) -> OpenKey:
    path = folder.locate_private_key(role, key_id)
    if not path.exists():
        raise InputError(
            f"{path}, the successor of the {role} key, is missing: put it back, or revoke it with "
            f"`sharing keys revoke {key_id[:16]}`, so that a new key can replace it"
        )
    return folder.read_private_key(role, key_id, access)


def print_statement(statement: KeyStatement, files: Iterable[Path], *, as_json: bool) -> None:
    """Print what a new key statement says."""
    if as_json:
        print_json({**describe_statement(statement), "files": [str(file) for file in files]})
        return
    print_keys(statement)
    for file in files:
        err.print(f"written: {file}")


def print_keys(statement: KeyStatement) -> None:
    """Print the online keys by role, two lines or more for each: a table of ids and times is cut off on a terminal."""
    roles = list(dict.fromkeys(key.role for key in statement.keys))
    listed = {key.key_id: key for key in statement.keys}
    for key in sorted(statement.keys, key=lambda key: (roles.index(key.role), key.valid_from)):
        print_line(f"{key.role}  {shorten(key.key_id)}  {key.algorithm}  successor {shorten(key.successor)}")
        print_line(f"valid from {format_time(key.valid_from)} until {format_time(key.valid_until)}", indent=4)
        replacing = listed.get(key.successor)
        if replacing is not None:
            print_line(f"replaced by its successor from {format_time(replacing.valid_from)}", indent=4)
        revocation = statement.find_revocation(key.key_id)
        if revocation is not None:
            print_line(f"revoked from {format_time(revocation.effective_at)}", indent=4)
        follower = statement.find_revocation(key.successor)
        if follower is not None:
            print_line(f"its successor is revoked from {format_time(follower.effective_at)}", indent=4)


def describe_statement(statement: KeyStatement) -> dict[str, object]:
    """Return a key statement for JSON output, with the id of each key instead of the key itself."""
    document = statement.model_dump(mode="json")
    keys = [
        {name: value for name, value in row.items() if name != "public"} | {"key": key.key_id}
        for row, key in zip(document["keys"], statement.keys, strict=True)
    ]
    return {
        "state": statement.state,
        "statement": statement.version,
        "root_version": statement.root_version,
        "issued_at": document["issued_at"],
        "expires_at": document["expires_at"],
        "keys": keys,
        "revocations": document["revocations"],
    }
