"""What a reader remembers of a State when it stops, so that it accepts nothing older when it starts again.

It is the accepted documents themselves: roots, the newest key statement, the newest directory statement of each key.
So nobody can forge what is remembered: it is verified again from the pinned root. Deleting it only makes the reader
forget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from sharing.directory.statement import DirectoryStatement, decode_statement, encode_statement
from sharing.errors import InputError
from sharing.model.strict_model import StrictModel
from sharing.trust.canonical import decode_canonical, encode_canonical
from sharing.trust.documents import StateCode, read_document
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import KeyStatement, TrustedKeys, verify_key_statement
from sharing.trust.public_keys import KeyRole
from sharing.trust.root import RootMetadata, TrustedRoot
from sharing.trust.signatures import ObjectKind, build_message, is_signature_by

STATEMENTS_MAX: Final = 8
"""How many directory statements are remembered, each by a different key: one by a revoked key does not count."""

MEMORY_BYTES_MAX: Final = 20_000_000
_ROOTS_MAX: Final = 1000


class _Content(StrictModel):
    kind: Literal["directory-memory"] = "directory-memory"
    format: Literal[1] = 1
    state: StateCode
    roots: Annotated[tuple[str, ...], Field(max_length=_ROOTS_MAX)]
    keys: str
    statements: Annotated[tuple[str, ...], Field(max_length=STATEMENTS_MAX)]


@dataclass(frozen=True, slots=True)
class ChainMemory:
    """What was accepted from one State. Nothing in it is verified.

    Attributes:
        state: The State.
        roots: Documents of the roots, from the pinned one on.
        keys: Document of the newest key statement; empty if there was none.
        statements: The newest directory statement of each key.
    """

    state: str
    roots: tuple[bytes, ...] = ()
    keys: bytes = b""
    statements: tuple[DirectoryStatement, ...] = ()

    def to_bytes(self) -> bytes:
        """Return it as canonical JSON."""
        newest = sorted(self.statements, key=lambda statement: statement.content.number)[-STATEMENTS_MAX:]
        content = _Content(
            state=self.state,
            roots=tuple(root.decode() for root in self.roots),
            keys=self.keys.decode(),
            statements=tuple(encode_statement(statement).hex() for statement in newest),
        )
        return encode_canonical(content.model_dump(mode="json"))

    def join(self, other: ChainMemory) -> ChainMemory:
        """Return the newer version of each part: another reader of the same State may have accepted something since.

        Args:
            other: What that reader has remembered.

        Raises:
            TrustError: A document cannot be read.
        """
        roots = max(self.roots, other.roots, key=_read_root_version)
        keys = max(self.keys, other.keys, key=_read_keys_version)
        by_key = {statement.signature.key: statement for statement in other.statements}
        for statement in self.statements:
            known = by_key.get(statement.signature.key)
            if known is None or known.content.number <= statement.content.number:
                by_key[statement.signature.key] = statement
        return ChainMemory(self.state, roots, keys, tuple(by_key.values()))


def parse_memory(data: bytes, state: str) -> ChainMemory:
    """Return what was remembered of a State.

    Raises:
        InputError: It was not made by `ChainMemory.to_bytes`, or belongs to another State.
    """
    try:
        decode_canonical(data, bytes_max=MEMORY_BYTES_MAX)
        content = _Content.model_validate_json(data)
        statements = tuple(decode_statement(bytes.fromhex(text)) for text in content.statements)
    except (TrustError, ValidationError, ValueError):
        raise InputError("is damaged") from None
    if content.state != state:
        raise InputError(f"is of {content.state}, not of {state}")
    return ChainMemory(state, tuple(root.encode() for root in content.roots), content.keys.encode(), statements)


def verify_under_newest(roots: Sequence[TrustedRoot], keys: bytes) -> TrustedKeys:
    """Return the keys of a remembered statement, verified under the newest of the roots whose keys have signed it.

    Args:
        roots: The roots, at least one, the newest last.
        keys: The key statement. If the newest root was accepted after it, only those before may have signed it.

    Raises:
        TrustError: It does not verify.
    """
    fault: TrustError | None = None
    for root in reversed(roots):
        try:
            return verify_key_statement(root, keys)
        except TrustError as error:
            fault = fault or error
    raise fault or TrustError(TrustFault.VERSION_MISSING, "there is no root")


def is_signed_under(keys: TrustedKeys, statement: DirectoryStatement) -> bool:
    """Return whether a remembered statement counts: not if its key ended long ago and is no longer listed.

    Raises:
        TrustError: The signature is not valid.
    """
    signature = statement.signature
    key = next((key for key in keys.statement.keys if key.key_id == signature.key), None)
    if key is None or key.role is not KeyRole.DIRECTORY:
        return False
    if not is_signature_by(
        key, signature.value, build_message(ObjectKind.DIRECTORY_ENTRY, keys.state, statement.payload)
    ):
        raise TrustError(TrustFault.BAD_SIGNATURE, f"{statement.name}: the signature is not valid")
    return True


def _read_root_version(roots: tuple[bytes, ...]) -> int:
    return read_document(roots[-1], ObjectKind.ROOT, RootMetadata)[1].version if roots else 0


def _read_keys_version(keys: bytes) -> int:
    return read_document(keys, ObjectKind.KEYS, KeyStatement)[1].version if keys else 0
