"""`sharing trust add`: pin a root by its fingerprint on paper, or follow a pinned root to a newer one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.shared.console import AsJson, err, print_json, print_line
from sharing.cli.shared.instants import read_clock
from sharing.cli.trust.options import ClaimedDocument, TrustFile, locate_trust_file, read_documents
from sharing.errors import InputError
from sharing.keystore.pin_file import PinnedRoot, make_pinned_root, read_pins, replace_pin
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.root import Pin, TrustedRoot, follow_chain, format_fingerprint, normalise_fingerprint
from sharing.trust.signatures import ObjectKind


def add_root(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Roots of one State; for a newer one, a chain.")],
    fingerprint: Annotated[
        str | None,
        typer.Option(
            "--fingerprint", help="Fingerprint of the newest root, copied from paper, in quotes.", metavar="DIGITS"
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Pin again by fingerprint, although another root is pinned.")
    ] = False,
    file: TrustFile = None,
    as_json: AsJson = False,
) -> None:
    """Pin the root of another State.

    The first root of a State is pinned by the fingerprint that the State gave on paper, or that was compared by
    telephone. A newer root is accepted if the files lead to it from the pinned one, each signed by the keys of the one
    before.
    """
    path = locate_trust_file(file)
    pins = read_pins(path)
    roots = read_documents(files)
    state, newest = _get_newest(roots)
    now = read_clock()
    pinned = pins.get(state)
    if pinned is None or replace:
        typed = _read_fingerprint(state, fingerprint)
        trusted = _verify_typed(Pin(state, newest.version, typed), newest, now)
    else:
        trusted = follow_chain(pinned.to_pin(), [root.data for root in roots], now=now, newest_seen=pinned.version)
        if fingerprint is not None and _parse_fingerprint(fingerprint) != trusted.fingerprint:
            raise TrustError(TrustFault.NOT_PINNED, f"{state}: the fingerprint is not that of the newest root given")
    added = make_pinned_root(trusted.to_pin(), now)
    if pinned is None or pinned.to_pin() != added.to_pin():
        replace_pin(path, pinned, added)
    _print_result(path, pinned, trusted, as_json=as_json)


def _verify_typed(pin: Pin, newest: ClaimedDocument, now: int) -> TrustedRoot:
    """Return the root whose fingerprint a person has typed.

    Raises:
        TrustError: It has another fingerprint; or as `follow_chain`.
    """
    try:
        return follow_chain(pin, [newest.data], now=now)
    except TrustError as error:
        if error.fault is not TrustFault.NOT_PINNED:
            raise
        raise TrustError(
            TrustFault.NOT_PINNED,
            f"{newest.path}: its fingerprint is not the one that was typed; compare each group with the paper: if they "
            f"agree, the file may be forged, or is another version of the root: ask {pin.state} by telephone",
        ) from None


def _get_newest(roots: list[ClaimedDocument]) -> tuple[str, ClaimedDocument]:
    wrong = next((root for root in roots if root.kind is not ObjectKind.ROOT), None)
    if wrong is not None:
        raise InputError(f"{wrong.path} is a key statement; give roots only")
    if len({root.state for root in roots}) != 1:
        raise InputError("the files are roots of several States; pin one State at a time")
    return roots[-1].state, roots[-1]


def _read_fingerprint(state: str, given: str | None) -> str:
    if given is None:
        if not sys.stdin.isatty():
            raise InputError(
                f"{state} is not pinned yet: give --fingerprint with the digits that {state} gave on paper; "
                "those in the file itself prove nothing"
            )
        given = str(typer.prompt(f"Fingerprint that {state} gave on paper", err=True))
    return _parse_fingerprint(given)


def _parse_fingerprint(typed: str) -> str:
    """Return a fingerprint as one word.

    Raises:
        InputError: It is none.
    """
    try:
        return normalise_fingerprint(typed)
    except TrustError as error:
        raise InputError(f"what was typed is not a fingerprint: {error}, all of them in quotes") from None


def _print_result(path: Path, before: PinnedRoot | None, trusted: TrustedRoot, *, as_json: bool) -> None:
    previous = None if before is None else before.version
    if as_json:
        document = {
            "state": trusted.state,
            "version": trusted.metadata.version,
            "previous": previous,
            "fingerprint": format_fingerprint(trusted.fingerprint),
            "file": str(path),
        }
        print_json(document)
        return
    if before is not None and before.to_pin() != trusted.to_pin():
        err.print(f"pinned before: version {before.version}, fingerprint {before.fingerprint}")
        if before.version >= trusted.metadata.version:
            err.print(f"not a newer version: make sure that the paper of {trusted.state} is not an old one")
    print_line(f"{path}: pins version {trusted.metadata.version} of the root of {trusted.state}")
    print_line(f"fingerprint  {format_fingerprint(trusted.fingerprint)}")
