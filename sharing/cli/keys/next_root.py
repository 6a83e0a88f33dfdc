"""The next root of a State: other root keys, another threshold, or a later expiry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sharing.cli.keys.init import print_root
from sharing.cli.keys.key_names import find_key
from sharing.cli.keys.options import get_passphrases
from sharing.cli.keys.root_keys import open_root_keys, publish_statement, read_previous
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.key_options import explain_left_files, require_new_files
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.private_key import ROOT_ROLE, generate_key
from sharing.keystore.private_key_file import write_private_key
from sharing.trust.ceremonies import make_next_root, renew_statement
from sharing.trust.documents import sign_document
from sharing.trust.public_keys import KeyAlgorithm
from sharing.trust.root import accept_next_root, require_begun_root
from sharing.trust.signatures import ObjectKind


@dataclass(frozen=True, slots=True)
class RootChange:
    """What is to change in the root.

    Attributes:
        new_files: Files of root keys to make and add.
        new_passphrase_files: Files with their passphrases, or None to ask.
        removed: Ids of root keys to remove, or how they begin.
        threshold: The new threshold, or None.
        days: For how many days the new root is valid.
        online_days: For how many days an online key may be valid that is issued under it; None for as many as before.
    """

    new_files: Sequence[Path]
    new_passphrase_files: Sequence[Path] | None
    removed: Sequence[str]
    threshold: int | None
    days: int
    online_days: int | None = None


def put_root_into_force(
    folder: KeyFolder,
    change: RootChange,
    root_files: Sequence[Path],
    passphrase_files: Sequence[Path] | None,
    *,
    as_json: bool,
) -> None:
    """Make the next root, signed by the old and the new keys; and sign the key statement again, by both.

    The statement is written before the root: it is valid under the old root and under the new one, so that whenever
    this is interrupted, the folder is valid, and its statement is signed by the keys of its newest root.

    Raises:
        InputError: A key or the threshold cannot be, or a file exists.
        TrustError: Too few of the new keys were given to sign; or the present root is not valid yet: the clock is
            wrong, and the new root would end too early.
    """
    roots = folder.read_roots()
    trusted, now = roots[-1], read_clock()
    previous = read_previous(folder, roots, now)
    require_begun_root(trusted, now)
    require_new_files(change.new_files)
    known = [key.key_id for key in trusted.metadata.keys]
    new_keys = [generate_key(trusted.state, ROOT_ROLE, KeyAlgorithm.ED25519) for _ in change.new_files]
    metadata = make_next_root(
        trusted,
        added=[key.public_key for key in new_keys],
        removed=[find_key(text, known) for text in change.removed],
        threshold=change.threshold,
        online_days_max=change.online_days,
        days=change.days,
        now=now,
    )
    signers = open_root_keys(trusted, root_files, passphrase_files)
    signers += [key.to_signing_key() for key in new_keys]
    document = sign_document(ObjectKind.ROOT, trusted.state, metadata, signers)
    newest = accept_next_root(trusted, document.to_bytes())  # as every reader will
    passphrases = get_passphrases(
        change.new_files, change.new_passphrase_files, "--new-root-passphrase-file", are_new=True
    )
    with explain_left_files(change.new_files, folder.locate_root(metadata.version), "root"):
        for path, key, passphrase in zip(change.new_files, new_keys, passphrases, strict=True):
            write_private_key(path, key, passphrase)
        files = []
        if previous is not None:
            days = min(trusted.metadata.online_days_max, metadata.online_days_max)
            statement = renew_statement(trusted, previous, days=days, now=now)
            files.append(publish_statement(folder, [trusted, newest], statement, previous, signers))
        files.append(folder.write_root(document, metadata.version))
    print_root(newest, files, list(zip(change.new_files, new_keys, strict=True)), as_json=as_json)
