"""`sharing officers add`: a new officer, or other roles, keys, passkeys or validity of one."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.officers.make_key import read_officer_key
from sharing.cli.officers.passkeys import change_passkeys, read_passkey
from sharing.cli.officers.registrar import KeyDesk, connect_desk
from sharing.cli.officers.report import describe_entry, print_entry, report_published
from sharing.cli.shared.connection import Bootstrap
from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.shared.instants import read_clock
from sharing.cli.shared.key_options import Folder, PassphraseFile, TokenUri, require_new_files
from sharing.errors import InputError
from sharing.keystore.files import PUBLIC_MODE, write_new_file
from sharing.model.validation_errors import suggest_nearest
from sharing.model.vocabulary import Authority
from sharing.officers.changes import OfficerChange, OfficerFields, change_officer, make_record, sign_change
from sharing.officers.entry import OFFICER_DAYS_MAX
from sharing.officers.record import OfficerRecord
from sharing.officers.roles import BUS_ROLES
from sharing.officers.verification import VerifiedEntry, compute_entry_digest
from sharing.packs.library import find_law
from sharing.packs.signature import read_public_keys
from sharing.settings import Settings
from sharing.trust.signatures import SigningKey


def add_officer(
    officer_id: Annotated[
        str, typer.Argument(metavar="ID", help="Opaque id of the officer: lower-case letters, digits and hyphens.")
    ],
    name: Annotated[str | None, typer.Option("--name", help="Name of the officer.")] = None,
    agency: Annotated[str | None, typer.Option("--agency", help="The agency that the officer belongs to.")] = None,
    authority: Annotated[Authority | None, typer.Option("--authority", help="Kind of that authority.")] = None,
    role: Annotated[
        list[str] | None,
        typer.Option("--role", help="A role that the State's law pack names under `approvers`; can be repeated."),
    ] = None,
    without_roles: Annotated[bool, typer.Option("--without-roles", help="Remove all roles.")] = False,
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", help="Public file of `officers make-key`; repeat it for all keys.", metavar="FILE"),
    ] = None,
    without_keys: Annotated[
        bool, typer.Option("--without-keys", help="Remove all keys; the officer signs with passkeys only.")
    ] = False,
    passkey: Annotated[
        Path | None,
        typer.Option(
            "--passkey", help="File made by the officer's desk: adds this passkey to the others.", metavar="FILE"
        ),
    ] = None,
    fingerprint: Annotated[
        str | None,
        typer.Option("--fingerprint", help="Fingerprint of that passkey, as the officer read it out by telephone."),
    ] = None,
    drop_passkey: Annotated[
        list[str] | None,
        typer.Option(
            "--drop-passkey", help="Fingerprint of a passkey to remove; can be repeated.", metavar="FINGERPRINT"
        ),
    ] = None,
    days: Annotated[
        int, typer.Option("--days", help="For how many days the entry is valid.", min=1, max=OFFICER_DAYS_MAX)
    ] = OFFICER_DAYS_MAX,
    draft: Annotated[
        Path | None,
        typer.Option("--draft", help="File for the entry, if a second registrar must sign it.", metavar="FILE"),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Let two registrars sign even if one is enough: for another year.")
    ] = False,
    folder: Folder = None,
    passphrase_file: PassphraseFile = None,
    token: TokenUri = None,
    bootstrap: Bootstrap = None,
    as_json: AsJson = False,
) -> None:
    """Add an officer, or change one: what is not given stays as it is. The entry is signed with the registrar key.

    What gives a role, or keys or passkeys to somebody with one, takes two registrars: this writes --draft FILE, which a
    second registrar signs with `sharing officers sign FILE`. Anything else is published at once.
    """
    desk, writer = connect_desk(bootstrap, folder, passphrase_file, token)
    if role and without_roles:
        raise InputError("--role and --without-roles contradict each other; give one of them")
    roles = _read_roles(role, desk.settings, desk.state) if role else () if without_roles else None
    if key and without_keys:
        raise InputError("--key and --without-keys contradict each other; give one of them")
    keys = [read_officer_key(path, desk.state) for path in key] if key else () if without_keys else None
    enrolled = None if passkey is None else read_passkey(passkey, fingerprint, officer_id, desk.keys, read_clock())
    if draft is not None:
        require_new_files([draft])

    def make_change(newest: VerifiedEntry | None, after: int) -> OfficerChange:
        given_roles = () if roles is None and newest is None else roles
        present = () if newest is None else newest.entry.passkeys
        passkeys = change_passkeys(present, enrolled, drop_passkey or ())
        given = OfficerFields(name, agency, authority, given_roles, keys, passkeys)
        return change_officer(
            desk.state, officer_id, newest, given, days=days, now=read_clock(), rests_on_grant=not again, after=after
        )

    register, now = writer.read(), read_clock()
    change = make_change(register.find_newest(officer_id, now), register.find_last_sequence(officer_id, now))
    if change.needed > 1:
        _write_draft(desk, change, draft, as_json=as_json)
        return
    signing_key = desk.open_registrar_key()
    verified = writer.change(officer_id, lambda newest, after: sign_alone(make_change(newest, after), signing_key))
    report_published(verified, as_json=as_json)


def sign_alone(change: OfficerChange, key: SigningKey) -> OfficerRecord:
    """Return the record of a change that one registrar signs.

    Raises:
        InputError: It needs two.
    """
    if change.needed > 1:
        raise InputError(
            f"officer {change.entry.id}: this grants more than two registrars have signed for, or what they signed "
            "has ended; make it again with `sharing officers add`, with --draft FILE"
        )
    return make_record(sign_change(change, key), change.grant)


def _write_draft(desk: KeyDesk, change: OfficerChange, draft: Path | None, *, as_json: bool) -> None:
    if draft is None:
        raise InputError(
            f"officer {change.entry.id} gets roles, or keys or passkeys with roles: two registrars must sign. Give "
            "--draft FILE; the second signs that with `sharing officers sign FILE`"
        )
    document = sign_change(change, desk.open_registrar_key())
    write_new_file(draft, document.to_bytes() + b"\n", PUBLIC_MODE)
    digest, now = compute_entry_digest(document, change.entry), read_clock()
    if as_json:
        signers = [each.key for each in document.signatures]
        shown = describe_entry(change.entry, signers, now)
        print_json({"published": False, "draft": str(draft), "digest": digest, "officer": shown})
        return
    print_entry(change.entry, now)
    print_line(f"digest {digest}", indent=2)
    err.print(f"written: {draft}; a second registrar runs `sharing officers sign {draft}`, then publish it")


def _read_roles(names: Collection[str], settings: Settings, state: str) -> tuple[str, ...]:
    """Return roles that the law pack of the State names, or that the bus knows.

    Raises:
        InputError: One is none of them.
    """
    pack = find_law(state, settings.packs, settings.pack, keys=read_public_keys(settings.pack_key)).pack
    known = {*pack.approvers, *BUS_ROLES}
    unknown = [name for name in names if name not in known]
    if unknown:
        nearest = suggest_nearest(unknown[0], known)
        raise InputError(
            f"--role {unknown[0]}: the law of {state} names no such approver{nearest}; it names "
            f"{', '.join(sorted(pack.approvers))}, and every State has {', '.join(sorted(BUS_ROLES))}"
        )
    return tuple(names)
