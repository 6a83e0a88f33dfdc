"""Opens root private keys, and signs with them what readers will accept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr

from sharing.cli.keys.options import get_passphrases
from sharing.errors import InputError
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.key_problems import find_early_statement
from sharing.keystore.private_key import ROOT_ROLE
from sharing.keystore.private_key_file import read_key_header, read_private_key
from sharing.trust.documents import sign_document
from sharing.trust.key_statement import KeyStatement, TrustedKeys, verify_key_statement
from sharing.trust.root import TrustedRoot
from sharing.trust.signatures import MemorySigningKey, ObjectKind


def open_root_keys(
    root: TrustedRoot, paths: Sequence[Path], passphrase_files: Sequence[Path] | None
) -> list[MemorySigningKey]:
    """Return the root keys in these files. Which keys they are is examined before a passphrase is asked for.

    Raises:
        InputError: A file is not a key of this root, there are fewer than the threshold, or a passphrase is wrong.
    """
    known = {key.key_id for key in root.metadata.keys}
    given: set[str] = set()
    for path in paths:
        header = read_key_header(path)
        if header.role != ROOT_ROLE or header.state != root.state or header.key.key_id not in known:
            raise InputError(f"{path} is not a key of version {root.metadata.version} of the root of {root.state}")
        given.add(header.key.key_id)
    if len(given) < root.metadata.threshold:
        raise InputError(
            f"different root keys that must sign: {root.metadata.threshold}; given: {len(given)}; repeat --root"
        )
    passphrases: list[SecretStr] = get_passphrases(paths, passphrase_files, "--root-passphrase-file", are_new=False)
    keys = (read_private_key(path, passphrase) for path, passphrase in zip(paths, passphrases, strict=True))
    return [key.to_signing_key() for key in keys]


def read_previous(folder: KeyFolder, roots: list[TrustedRoot], now: int) -> TrustedKeys | None:
    """Return the newest key statement, which the next one follows; None if there is none.

    Raises:
        InputError: It was issued later than now: the clock is wrong, or was wrong then. A statement that follows it
            would count for nobody either, or revoke too early.
        TrustError: As `KeyFolder.read_keys`.
    """
    previous = folder.read_keys(roots)
    problem = None if previous is None else find_early_statement(previous, now)
    if problem is not None:
        raise InputError(problem.sentence)
    return previous


def publish_statement(
    folder: KeyFolder,
    roots: Sequence[TrustedRoot],
    statement: KeyStatement,
    previous: TrustedKeys | None,
    signers: Sequence[MemorySigningKey],
) -> Path:
    """Sign a key statement, verify it as every reader will, and write it; return its file.

    Args:
        folder: The key folder.
        roots: The roots under which it must be valid: the present one, and the next if that is about to be written.
        statement: The statement.
        previous: The statement before, if there is one.
        signers: The root keys that sign.

    Raises:
        TrustError: A reader would refuse it.
    """
    document = sign_document(ObjectKind.KEYS, statement.state, statement, signers)
    for root in roots:
        verify_key_statement(root, document.to_bytes(), previous=previous)
    return folder.write_keys(document, statement.version)
