"""The trust file, and signed documents in files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sharing.cli.shared.given_files import read_public_file
from sharing.errors import SettingsError
from sharing.settings import load_settings
from sharing.trust.documents import peek_kind, read_document
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import KeyStatement
from sharing.trust.root import RootMetadata
from sharing.trust.signatures import ObjectKind

TrustFile = Annotated[
    Path | None, typer.Option("--file", help="The trust file. Default: SHARING_TRUST_FILE.", metavar="FILE")
]


@dataclass(frozen=True, slots=True)
class ClaimedDocument:
    """A root or a key statement, as it claims to be. Nothing is verified.

    Attributes:
        path: Its file.
        data: Its bytes.
        kind: Root or key statement.
        state: The State.
        version: Its version.
    """

    path: Path
    data: bytes
    kind: ObjectKind
    state: str
    version: int


def locate_trust_file(file: Path | None) -> Path:
    """Return the trust file.

    Raises:
        SettingsError: None is set.
    """
    settings = load_settings(trust_file=file)
    if settings.trust_file is None:
        raise SettingsError("no trust file is set: give --file FILE, or set SHARING_TRUST_FILE")
    return settings.trust_file


def read_documents(paths: Iterable[Path]) -> list[ClaimedDocument]:
    """Return the roots and key statements in files, by State, roots first, by version.

    Raises:
        InputError: A file cannot be read.
        TrustError: A file is neither.
    """
    documents = [_read_document(path) for path in paths]
    return sorted(documents, key=lambda item: (item.state, item.kind is not ObjectKind.ROOT, item.version))


def _read_document(path: Path) -> ClaimedDocument:
    data = read_public_file(path)
    try:
        match peek_kind(data):
            case ObjectKind.ROOT:
                _, root = read_document(data, ObjectKind.ROOT, RootMetadata)
                return ClaimedDocument(path, data, ObjectKind.ROOT, root.state, root.version)
            case ObjectKind.KEYS:
                _, statement = read_document(data, ObjectKind.KEYS, KeyStatement)
                return ClaimedDocument(path, data, ObjectKind.KEYS, statement.state, statement.version)
            case _:
                raise TrustError(TrustFault.WRONG_KIND, "is neither a root nor a key statement")
    except TrustError as error:
        raise TrustError(error.fault, f"{path}: {error}") from None
