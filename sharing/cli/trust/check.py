"""`sharing trust check`: verify roots and key statements in files, without a broker."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer

from sharing.cli.shared.console import AsJson, add_row, make_table, out, print_json, unwrapped_column
from sharing.cli.shared.instants import read_clock
from sharing.cli.trust.options import ClaimedDocument, TrustFile, locate_trust_file, read_documents
from sharing.keystore.pin_file import PinnedRoot, read_pins
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys, accept_key_statement
from sharing.trust.root import TrustedRoot, accept_next_root, accept_pinned_root, require_current_root
from sharing.trust.signatures import ObjectKind


def check_documents(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Roots and key statements, of any States.")],
    file: TrustFile = None,
    as_json: AsJson = False,
) -> None:
    """Verify roots from the pinned one on, and key statements under the newest root; exit with 1 if one is refused."""
    pins = read_pins(locate_trust_file(file))
    documents = read_documents(files)
    now = read_clock()
    rows = [
        row
        for state, group in groupby(documents, key=lambda item: item.state)
        for row in _check_state(pins.get(state), list(group), now)
    ]
    if as_json:
        print_json(rows)
    else:
        table = make_table(*map(unwrapped_column, ("State", "kind", "version")), "result", "file")
        for row in rows:
            result = ": ".join(part for part in (row["fault"], row["detail"]) if part) or "accepted"
            add_row(table, row["state"], row["kind"], row["version"], result, row["file"])
        out.print(table)
    if any(row["ok"] is False for row in rows):
        raise typer.Exit(1)


def _check_state(pinned: PinnedRoot | None, documents: list[ClaimedDocument], now: int) -> Iterator[dict[str, Any]]:
    """Yield the result for each document of a State: roots first, by version."""
    trusted: TrustedRoot | None = None
    keys: TrustedKeys | None = None
    refused: TrustError | None = None
    newest_root = max((item.version for item in documents if item.kind is ObjectKind.ROOT), default=0)
    for item in documents:
        if pinned is not None and item.kind is ObjectKind.ROOT and item.version < pinned.version <= newest_root:
            yield {**_describe(item, None), "ok": None, "detail": "older than the pinned root: not examined"}
            continue
        error: TrustError | None = None
        try:
            if pinned is None:
                raise TrustError(TrustFault.NOT_PINNED, f"no root of {item.state} is pinned")
            if refused is not None:
                raise TrustError(refused.fault, "an earlier root was refused")
            if item.kind is ObjectKind.ROOT:
                trusted = _accept_root(pinned, trusted, item)
                if item.version == newest_root:
                    require_current_root(trusted, now)
            else:
                keys = _accept_keys(trusted, keys, item, now)
        except TrustError as fault:
            error = fault
            refused = fault if item.kind is ObjectKind.ROOT else refused
        yield _describe(item, error)


def _accept_root(pinned: PinnedRoot, trusted: TrustedRoot | None, item: ClaimedDocument) -> TrustedRoot:
    if trusted is None:
        return accept_pinned_root(pinned.to_pin(), item.data)
    return accept_next_root(trusted, item.data)


def _accept_keys(
    trusted: TrustedRoot | None, previous: TrustedKeys | None, item: ClaimedDocument, now: int
) -> TrustedKeys:
    """Return the keys that a statement names, compared with what the one before it in these files says."""
    if trusted is None:
        raise TrustError(TrustFault.VERSION_MISSING, "also give the roots from the pinned one onwards")
    return accept_key_statement(trusted, item.data, now=now, previous=previous)


def _describe(item: ClaimedDocument, error: TrustError | None) -> dict[str, Any]:
    return {
        "file": str(item.path),
        "state": item.state,
        "kind": str(item.kind),
        "version": item.version,
        "ok": error is None,
        "fault": None if error is None else str(error.fault),
        "detail": "" if error is None else str(error),
    }
