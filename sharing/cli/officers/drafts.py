"""`sharing officers sign` and `publish`: what two registrars sign, one after the other, on machines of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.officers.registrar import connect_desk, open_desk
from sharing.cli.officers.report import describe_entry, print_entry, report_published
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.key_options import Folder, PassphraseFile, TokenUri
from sharing.errors import InputError
from sharing.keystore.files import PUBLIC_MODE, read_file, replace_file
from sharing.officers.changes import countersign, make_record
from sharing.officers.entry import OfficerEntry
from sharing.officers.verification import compute_entry_digest, count_needed, read_entry, verify_entry
from sharing.settings import load_settings
from sharing.trust.documents import SignedDocument
from sharing.trust.faults import TrustError

Draft = Annotated[Path, typer.Argument(metavar="FILE", help="The file written by `sharing officers add --draft`.")]


def sign_draft(
    file: Draft,
    folder: Folder = None,
    passphrase_file: PassphraseFile = None,
    token: TokenUri = None,
    as_json: AsJson = False,
) -> None:
    """Show an entry that another registrar has made, and sign it with one's own registrar key. It needs no broker.

    Compare the digest with the other registrar before you publish.
    """
    desk = open_desk(load_settings(key_folder=folder, key_passphrase_file=passphrase_file, key_token=token))
    document, entry = _read_draft(file)
    now = read_clock()
    verify_entry(desk.keys, document, entry, needed=1, now=now)
    digest = compute_entry_digest(document, entry)
    if not as_json:
        print_entry(entry, now)
        print_line(f"digest {digest}", indent=2)
    signing_key = desk.open_registrar_key([each.key for each in document.signatures])
    signed = countersign(document, entry, signing_key)
    verified = verify_entry(desk.keys, signed, entry, needed=count_needed(entry), now=read_clock())
    replace_file(file, signed.to_bytes() + b"\n", PUBLIC_MODE)
    if as_json:
        print_json({"draft": str(file), "digest": digest, "officer": describe_entry(entry, verified.signers, now)})
    else:
        err.print(f"signed: {file}; `sharing officers publish {file}` puts it into force")


def publish_draft(file: Draft, folder: Folder = None, bootstrap: Bootstrap = None, as_json: AsJson = False) -> None:
    """Publish an entry that two registrars have signed. It needs no private key."""
    desk, writer = connect_desk(bootstrap, folder)
    document, entry = _read_draft(file)
    verify_entry(desk.keys, document, entry, needed=count_needed(entry), now=read_clock())
    report_published(writer.publish(entry.id, make_record(document, None)), as_json=as_json)


def _read_draft(file: Path) -> tuple[SignedDocument, OfficerEntry]:
    """Return the entry in a file. Nothing is verified.

    Raises:
        InputError: It is no such file, or cannot be read.
    """
    try:
        return read_entry(read_file(file))
    except TrustError as error:
        raise InputError(f"{file} is not an entry written by `sharing officers add --draft`: {error}") from None
