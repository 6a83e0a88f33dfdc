"""`sharing officers invite`: a registrar lets an officer make a passkey at the duty desk."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.officers.registrar import open_desk
from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.shared.console import out as out_console
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.key_options import Folder, PassphraseFile, TokenUri, require_new_files
from sharing.keystore.files import PUBLIC_MODE, write_new_file
from sharing.model.times import format_time
from sharing.officers.invitation import INVITATION_DAYS_MAX, NONCE_BYTES, make_invitation, sign_invitation
from sharing.passkeys.browser_json import encode_base64url
from sharing.passkeys.origin import make_origin
from sharing.settings import load_settings

ENROLMENT_PATH = "/enrol/"
"""The page of a desk on which an officer makes a passkey."""


def invite_officer(
    officer_id: Annotated[
        str, typer.Argument(metavar="ID", help="Opaque id of the officer: lower-case letters, digits and hyphens.")
    ],
    desk: Annotated[
        str,
        typer.Option("--desk", help="Address of the desk, such as https://desk.example; no IP address.", metavar="URL"),
    ],
    out: Annotated[Path, typer.Option("--out", help="File for the invitation.", metavar="FILE")],
    days: Annotated[
        int, typer.Option("--days", help="How many days it is valid.", min=1, max=INVITATION_DAYS_MAX)
    ] = INVITATION_DAYS_MAX,
    folder: Folder = None,
    passphrase_file: PassphraseFile = None,
    token: TokenUri = None,
    as_json: AsJson = False,
) -> None:
    """Invite an officer to make a passkey at the duty desk. Signed with the registrar key; it needs no broker.

    Give the officer the file or the link. What the desk then makes of it, `sharing officers add ID --passkey` takes.
    """
    origin = make_origin(desk)
    registrar = open_desk(load_settings(key_folder=folder, key_passphrase_file=passphrase_file, key_token=token))
    require_new_files([out])
    invitation = make_invitation(
        registrar.state, officer_id, origin, nonce=secrets.token_bytes(NONCE_BYTES), days=days, now=read_clock()
    )
    document = sign_invitation(invitation, registrar.open_registrar_key()).to_bytes()
    write_new_file(out, document + b"\n", PUBLIC_MODE)
    link = f"{origin}{ENROLMENT_PATH}#{encode_base64url(document)}"  # browsers do not send what follows the #
    if as_json:
        print_json({**invitation.model_dump(mode="json", exclude={"kind", "format"}), "file": str(out), "link": link})
        return
    print_line(f"{officer_id}: may make a passkey at {origin} until {format_time(invitation.expires_at)}")
    out_console.print(link, markup=False, soft_wrap=True)  # a line that is broken is no link
    err.print(
        f"written: {out}; give the officer the file or the link, and note the telephone number at which you can "
        "reach the officer"
    )
