"""A State's folder of keys: its roots and key statements, which are public, and its online private keys.

`root.N.json` and `keys.N.json` are signed documents of version N; all are kept, from 1 on. `private/ROLE.ID.key` are
private keys. A private key that no statement names yet is a successor, or the remainder of a command that was
interrupted. The root keys are elsewhere, each on a medium of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from sharing.errors import InputError
from sharing.keystore.files import (
    PUBLIC_MODE,
    is_writable_by_others,
    list_drafts,
    make_private_folder,
    read_file,
    write_new_file,
)
from sharing.keystore.key_access import KeyAccess, OpenKey
from sharing.keystore.private_key import WRAP_ROLE, WrappingKeyName
from sharing.keystore.private_key_file import KeyFile, read_key_header, write_key_file
from sharing.trust.documents import SignedDocument, read_document
from sharing.trust.key_statement import KeyStatement, TrustedKeys, verify_key_statement
from sharing.trust.readers import ReaderList, verify_readers
from sharing.trust.root import RootMetadata, TrustedRoot, accept_next_root, fingerprint_of, require_root_signatures
from sharing.trust.signatures import ObjectKind

_ROOT, _KEYS, _READERS = "root", "keys", "readers"
_ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """A State's folder of keys.

    Attributes:
        path: Where it is.
    """

    path: Path

    @property
    def private(self) -> Path:
        """The folder of the online private keys."""
        return self.path / "private"

    def read_roots(self) -> list[TrustedRoot]:
        """Return all roots, each verified against the previous one, whether or not they have expired.

        Raises:
            InputError: There is none; or one is missing or has the name of another version.
            TrustError: One was altered or is not signed by enough keys.
        """
        files = self._list_versions(_ROOT)
        if not files:
            raise InputError(f"{self.path} has no root; `sharing keys init` makes one")
        document, metadata = read_document(read_file(files[0]), ObjectKind.ROOT, RootMetadata)
        require_root_signatures(document, metadata, f"{files[0]}")
        _require_name(files[0], f"root.{metadata.version}.json")
        roots = [TrustedRoot(metadata, fingerprint_of(document, metadata))]
        for file in files[1:]:
            data = read_file(file)
            _, metadata = read_document(data, ObjectKind.ROOT, RootMetadata)
            _require_name(file, f"root.{metadata.version}.json")
            roots.append(accept_next_root(roots[-1], data))
        return roots

    def read_keys(self, roots: list[TrustedRoot]) -> TrustedKeys | None:
        """Return the newest key statement, verified under the newest root; None if there is none.

        A root is written after the statement that its keys have also signed. So a statement that only the keys of an
        earlier root have signed is never accepted, no matter what was interrupted: those keys may have been replaced
        because they were stolen.

        Raises:
            InputError: One is missing, or the newest has the name of another version: an older one was put in its
                place.
            TrustError: It was altered, or is not signed by enough keys.
        """
        files = self._list_versions(_KEYS)
        if not files:
            return None
        keys = verify_key_statement(roots[-1], read_file(files[-1]))
        _require_name(files[-1], f"keys.{keys.statement.version}.json")
        return keys

    def read_all_statements(self, roots: list[TrustedRoot]) -> list[KeyStatement]:
        """Return every key statement, each verified under the root that it names, the newest first.

        Raises:
            InputError: One is missing, or has the name of another version.
            TrustError: One was altered or is not signed by enough keys.
        """
        by_version = {root.metadata.version: root for root in roots}
        statements = []
        for file in reversed(self._list_versions(_KEYS)):
            data = read_file(file)
            _, claimed = read_document(data, ObjectKind.KEYS, KeyStatement)
            _require_name(file, f"keys.{claimed.version}.json")
            statements.append(verify_key_statement(by_version.get(claimed.root_version, roots[-1]), data).statement)
        return statements

    def write_root(self, document: SignedDocument, version: int) -> Path:
        """Write a signed root, and return its file.

        Raises:
            InputError: There is one of that version.
        """
        return self._write(document, self.locate_root(version).name)

    def locate_root(self, version: int) -> Path:
        """Return the path of a version of the root, whether or not it exists."""
        return self.path / f"{_ROOT}.{version}.json"

    def write_keys(self, document: SignedDocument, version: int) -> Path:
        """Write a signed key statement, and return its file.

        Raises:
            InputError: There is one of that version: another command has written it at the same time.
        """
        return self._write(document, f"keys.{version}.json")

    def read_readers(self, keys: TrustedKeys, now: int) -> ReaderList | None:
        """Return the newest list of readers, verified, whether or not it has expired; None if there is none.

        Raises:
            InputError: It has the name of another version: an older one was put in place of the newest.
            TrustError: As `verify_readers`.
        """
        files = self._list_versions(_READERS)
        if not files:
            return None
        content = verify_readers(keys, read_file(files[-1]), now=now)
        _require_name(files[-1], f"readers.{content.version}.json")
        return content

    def count_reader_lists(self) -> int:
        """Return the version of the newest list of readers, verified or not; 0 if there is none.

        Raises:
            InputError: One is missing.
        """
        return len(self._list_versions(_READERS))

    def write_readers(self, document: SignedDocument, version: int) -> Path:
        """Write a signed list of readers, and return its file.

        Raises:
            InputError: There is one of that version.
        """
        return self._write(document, f"readers.{version}.json")

    def locate_private_key(self, role: str, key_id: str) -> Path:
        """Return the path of an online private key, whether or not it exists."""
        return self.private / f"{role}.{key_id[:_ID_DIGITS]}.key"

    def list_private_keys(self) -> list[Path]:
        """Return the files of all online private keys."""
        return sorted((self.private).glob("*.key"))

    def list_exposed(self) -> list[Path]:
        """Return the folders in which other users may create or replace files."""
        return [path for path in (self.path, self.private) if path.is_dir() and is_writable_by_others(path)]

    def list_drafts(self) -> list[Path]:
        """Return the files that a killed command has left, each perhaps a private key under another name."""
        return [*list_drafts(self.path), *list_drafts(self.private)]

    def write_private_key(self, content: KeyFile) -> Path:
        """Write the file of an online private key or a wrapping key, and return its path.

        Raises:
            InputError: The file exists.
        """
        path = self.locate_private_key(content.header.role, content.header.key.key_id)
        make_private_folder(path.parent)
        write_key_file(path, content)
        return path

    def read_private_key(self, role: str, key_id: str, access: KeyAccess) -> OpenKey:
        """Return an online private key or a wrapping key.

        Raises:
            InputError: It is not in the folder, is a different key, or the passphrase is wrong.
            InfrastructureError: The token does not answer.
        """
        path = self.locate_private_key(role, key_id)
        key = access.read_key(path)
        if (key.key_id, key.header.role) != (key_id, role):
            raise InputError(f"{path} is not the key that its name says")
        return key

    def list_wrapping_keys(self, state: str) -> list[WrappingKeyName]:
        """Return the names of a State's wrapping keys, the newest first. They are unverified until their key is read.

        Args:
            state: The State of the folder: another State could open what that State's key wraps.

        Raises:
            InputError: A file is not the file of a private key, or other users may access it.
        """
        headers = [read_key_header(path) for path in (self.private).glob(f"{WRAP_ROLE}.*.key")]
        own = [header.key for header in headers if header.state == state]
        names = [key for key in own if isinstance(key, WrappingKeyName)]
        return sorted(names, key=lambda name: (name.made_at, name.key_id), reverse=True)

    def _write(self, document: SignedDocument, name: str) -> Path:
        make_private_folder(self.path)
        path = self.path / name
        write_new_file(path, document.to_bytes() + b"\n", PUBLIC_MODE)
        return path

    def _list_versions(self, name: str) -> list[Path]:
        """Return the files of a kind of document, from version 1 on.

        Raises:
            InputError: One is missing.
        """
        if not self.path.is_dir():
            return []
        pattern = re.compile(rf"{name}\.([1-9]\d*)\.json")
        found = {int(match[1]): path for path in self.path.iterdir() if (match := pattern.fullmatch(path.name))}
        missing = next((version for version in range(1, len(found) + 1) if version not in found), None)
        if missing is not None:
            raise InputError(
                f"{self.path / f'{name}.{missing}.json'} is missing, and {name}.{max(found)}.json is there: every "
                "version is kept, so put it back from a copy of the folder"
            )
        return [found[version] for version in sorted(found)]


def _require_name(path: Path, name: str) -> None:
    if path.name != name:
        raise InputError(f"{path} contains {name}: another version was put in its place")
