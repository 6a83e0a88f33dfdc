"""A State's folder of keys: its roots and key statements, which are public, and its online private keys.

`root.N.json` and `keys.N.json` are signed documents of version N; all are kept. `private/ROLE.ID.key` are private keys.
A private key that no statement names yet is a successor, or the remainder of a command that was interrupted. The root
keys are elsewhere, each on a medium of its own.
"""

from __future__ import annotations

import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sharing.errors import InputError
from sharing.keystore.files import PUBLIC_MODE, list_drafts, make_private_folder, read_file, write_new_file
from sharing.keystore.key_access import KeyAccess, OpenKey
from sharing.keystore.private_key import WRAP_ROLE, WrappingKeyName
from sharing.keystore.private_key_file import KeyFile, read_key_header, write_key_file
from sharing.trust.documents import SignedDocument, read_document
from sharing.trust.faults import TrustError
from sharing.trust.key_statement import TrustedKeys, verify_key_statement
from sharing.trust.readers import ReaderList, verify_readers
from sharing.trust.root import RootMetadata, TrustedRoot, accept_next_root, fingerprint_of, require_root_signatures
from sharing.trust.signatures import ObjectKind

_ROOT_FILE = re.compile(r"root\.([1-9]\d*)\.json")
_KEYS_FILE = re.compile(r"keys\.([1-9]\d*)\.json")
_READERS_FILE = re.compile(r"readers\.([1-9]\d*)\.json")
_ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class KeyFolder:
    """A State's folder of keys.

    Attributes:
        path: Where it is.
    """

    path: Path

    def read_roots(self) -> list[TrustedRoot]:
        """Return all roots, each verified against the one before, whether or not they have expired.

        Raises:
            InputError: There is none.
            TrustError: One is missing, altered or not signed by enough keys.
        """
        files = self._list(_ROOT_FILE)
        if not files:
            raise InputError(f"{self.path} has no root; `sharing keys init` makes one")
        document, metadata = read_document(read_file(files[0]), ObjectKind.ROOT, RootMetadata)
        require_root_signatures(document, metadata, f"{files[0]}")
        _require_name(files[0], f"root.{metadata.version}.json")
        roots = [TrustedRoot(metadata, fingerprint_of(document, metadata))]
        for file in files[1:]:
            roots.append(accept_next_root(roots[-1], read_file(file)))
        return roots

    def read_keys(self, roots: list[TrustedRoot]) -> TrustedKeys | None:
        """Return the newest key statement, verified under the root that it was issued under; None if there is none.

        Raises:
            InputError: It has the name of another version: an older one in the place of the newest.
            TrustError: It was altered, or is not signed by enough keys.
        """
        files = self._list(_KEYS_FILE)
        if not files:
            return None
        keys = self._verify_newest(roots, files)
        _require_name(files[-1], f"keys.{keys.statement.version}.json")
        return keys

    def _verify_newest(self, roots: list[TrustedRoot], files: list[Path]) -> TrustedKeys:
        """Return the keys of the newest statement.

        It may be signed by the root keys before the present ones, if `keys rotate root` was interrupted: then it is
        signed again. But not once there was a statement under the present root: otherwise anyone who holds removed root
        keys could have the present ones sign a key of their own.
        """
        data = read_file(files[-1])
        try:
            return verify_key_statement(roots[-1], data)
        except TrustError:
            if len(roots) > 1 and not any(_is_under(roots[-1], file) for file in files[:-1]):
                with suppress(TrustError):
                    return verify_key_statement(roots[-2], data)
            raise

    def write_root(self, document: SignedDocument, version: int) -> Path:
        """Write a signed root, and return its file.

        Raises:
            InputError: There is one of that version.
        """
        return self._write(document, f"root.{version}.json")

    def write_keys(self, document: SignedDocument, version: int) -> Path:
        """Write a signed key statement, and return its file.

        Raises:
            InputError: There is one of that version: another command has written it at the same time.
        """
        return self._write(document, f"keys.{version}.json")

    def read_readers(self, keys: TrustedKeys, now: int) -> ReaderList | None:
        """Return the newest list of readers, verified, whether or not it has expired; None if there is none.

        Raises:
            InputError: It has the name of another version: an older one in the place of the newest.
            TrustError: As `verify_readers`.
        """
        files = self._list(_READERS_FILE)
        if not files:
            return None
        content = verify_readers(keys, read_file(files[-1]), now=now)
        _require_name(files[-1], f"readers.{content.version}.json")
        return content

    def write_readers(self, document: SignedDocument, version: int) -> Path:
        """Write a signed list of readers, and return its file.

        Raises:
            InputError: There is one of that version.
        """
        return self._write(document, f"readers.{version}.json")

    def locate_private_key(self, role: str, key_id: str) -> Path:
        """Return the path of an online private key, whether or not it exists."""
        return self.path / "private" / f"{role}.{key_id[:_ID_DIGITS]}.key"

    def list_private_keys(self) -> list[Path]:
        """Return the files of all online private keys."""
        return sorted((self.path / "private").glob("*.key"))

    def list_exposed(self) -> list[Path]:
        """Return those of the folders in which other users may put or replace files."""
        others = stat.S_IWGRP | stat.S_IWOTH
        return [path for path in (self.path, self.path / "private") if path.is_dir() and path.stat().st_mode & others]

    def list_drafts(self) -> list[Path]:
        """Return the files that a killed command has left, each perhaps a private key under another name."""
        return [*list_drafts(self.path), *list_drafts(self.path / "private")]

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
            InputError: It is not in the folder, or is another key, or the passphrase is wrong.
            InfrastructureError: The token does not answer.
        """
        path = self.locate_private_key(role, key_id)
        key = access.read_key(path)
        if (key.key_id, key.header.role) != (key_id, role):
            raise InputError(f"{path} is another key than its name says")
        return key

    def list_wrapping_keys(self) -> list[WrappingKeyName]:
        """Return the names of the wrapping keys, the newest first. Nothing proves them before their key is read.

        Raises:
            InputError: A file is not the file of a private key, or other users may access it.
        """
        headers = [read_key_header(path) for path in (self.path / "private").glob(f"{WRAP_ROLE}.*.key")]
        names = [header.key for header in headers if isinstance(header.key, WrappingKeyName)]
        return sorted(names, key=lambda name: (name.made_at, name.key_id), reverse=True)

    def _write(self, document: SignedDocument, name: str) -> Path:
        make_private_folder(self.path)
        path = self.path / name
        write_new_file(path, document.to_bytes() + b"\n", PUBLIC_MODE)
        return path

    def _list(self, pattern: re.Pattern[str]) -> list[Path]:
        if not self.path.is_dir():
            return []
        found = [(int(match[1]), path) for path in self.path.iterdir() if (match := pattern.fullmatch(path.name))]
        return [path for _, path in sorted(found)]


def _require_name(path: Path, name: str) -> None:
    if path.name != name:
        raise InputError(f"{path} contains {name}: an older version was put in the place of a newer one")


def _is_under(root: TrustedRoot, file: Path) -> bool:
    """Return whether a key statement was issued under this very root, and not under one before it."""
    try:
        keys = verify_key_statement(root, read_file(file))
    except TrustError:
        return False
    return keys.statement.root_version == root.metadata.version
