"""Encodes blocks of outcomes: each distinct outcome once, and a row of about twenty bytes for each item.

An Avro record is the concatenation of its fields, and an array that of its items. So an outcome is encoded when it is
first needed, and the rows are put together from the bytes of an id and those of everything else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, Final, NamedTuple

import fastavro

from sharing.model.decision import PackReference
from sharing.outcomes.outcome import DecidedOutcome, OutcomeWriter, QuarantinedOutcome, Told, digest_agency
from sharing.serialization.avro_primitives import encode_long
from sharing.serialization.codec import Codec, get_split_codecs, read_schema_text

SCHEMA: Final = "outcome_block"

BLOCK_BYTES_MAX: Final = 400_000
"""The size limit of a block with several outcomes: larger records gain nothing and make readers wait."""

ID_BYTES: Final = 16
UNKNOWN_ID: Final = bytes(ID_BYTES)
"""Used instead of an id that is not known."""

_HEAD: Final[Codec] = get_split_codecs(SCHEMA, "outcomes")[0]
_END_OF_ARRAY: Final = encode_long(0)
_FRAME_BYTES: Final = 64
"""An upper bound on what headers, counts and ends of arrays take."""


def _make_outcome_codec() -> Codec:
    fields = json.loads(read_schema_text(SCHEMA))["fields"]
    schema = next(field for field in fields if field["name"] == "outcomes")["type"]["items"]
    return Codec(f"{SCHEMA} (outcome)", fastavro.parse_schema(schema, {}), b"", {})


_OUTCOME: Final[Codec] = _make_outcome_codec()


@dataclass(frozen=True, slots=True, eq=False)
class RowTag:
    """Everything in a row except the id of the indicator. Compared by identity: the items of a batch share few.

    Attributes:
        agency: The agency of the items; "" where it is not known.
        version: The version; 0 where it is not known.
        amendment: Number of the amendment of the version.
        outcome: The outcome, encoded.
        is_decided: Whether the gate has decided on the items.
        id: Id of the indicator, as bytes, if the record's key is not one; None otherwise.
    """

    agency: str
    version: int
    amendment: int
    outcome: bytes
    is_decided: bool = False
    id: bytes | None = None


class BlockPlace(NamedTuple):
    """Where a block belongs.

    Attributes:
        state: The State.
        writer: Which loop writes it.
        partition: The partition.
        written_at: Instant of the batch, in UTC milliseconds.
        pack: The law that the batch has applied.
    """

    state: str
    writer: OutcomeWriter
    partition: int
    written_at: int
    pack: PackReference

    def encode(self) -> bytes:
        """Return the fields of a block before its outcomes."""
        fields: dict[str, Any] = {**self._asdict(), "pack": asdict(self.pack)}
        return _HEAD.encode_unframed(fields)


def encode_outcome(agency: str, told: Told) -> bytes:
    """Return an outcome as it is in a block.

    Args:
        agency: The agency of the items; "" where it is not known.
        told: What became of them.
    """
    match told:
        case DecidedOutcome():
            name = "decided"
        case QuarantinedOutcome():
            name = "quarantined"
        case _:
            name = "followed"
    fields: dict[str, Any] = {"agency": digest_agency(agency), "decided": None, "quarantined": None, "followed": None}
    fields[name] = told.to_record()
    return _OUTCOME.encode_unframed(fields)


def pack_id(text: str) -> bytes:
    """Return the bytes of a UUID; `UNKNOWN_ID` if the text is not a UUID."""
    try:
        packed = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return UNKNOWN_ID
    return packed if len(packed) == ID_BYTES else UNKNOWN_ID


def iter_blocks(
    place: BlockPlace, ids: Sequence[bytes], tags: Sequence[RowTag], *, bytes_max: int = BLOCK_BYTES_MAX
) -> Iterator[bytes]:
    """Yield the blocks with these rows, without a header. Nearly always it is one; none if there are no rows.

    Args:
        place: Where they belong.
        ids: The id of each row, as bytes.
        tags: What else is in each row.
        bytes_max: Length of a block that has several outcomes.

    Raises:
        ValueError: The numbers of ids and tags differ.
    """
    if len(ids) != len(tags):
        raise ValueError("the numbers of ids and of what belongs to them differ")
    head = place.encode()
    room = bytes_max - len(head) - _FRAME_BYTES
    start = 0
    while start < len(tags):
        table, suffixes, end = _collect_outcomes(tags, start, room)
        rows = chain.from_iterable(zip(ids[start:end], map(suffixes.__getitem__, tags[start:end]), strict=True))
        outcomes = encode_long(len(table)), *table, _END_OF_ARRAY
        yield b"".join((head, *outcomes, encode_long(end - start), *rows, _END_OF_ARRAY))
        start = end


def _collect_outcomes(
    tags: Sequence[RowTag], start: int, room: int
) -> tuple[dict[bytes, int], dict[RowTag, bytes], int]:
    """Return the outcomes of the next block, the end of a row for each tag, and the place after its last row."""
    distinct = dict.fromkeys(tags[start:] if start else tags)
    table: dict[bytes, int] = {}
    suffixes = {tag: _encode_suffix(tag, table.setdefault(tag.outcome, len(table))) for tag in distinct}
    longest = max(map(len, suffixes.values()))
    if sum(map(len, table)) + (len(tags) - start) * (ID_BYTES + longest) <= room:
        return table, suffixes, len(tags)
    table, suffixes, used = {}, {}, 0
    for place in range(start, len(tags)):
        tag = tags[place]
        used += 0 if tag.outcome in table else len(tag.outcome)
        suffix = suffixes.get(tag) or _encode_suffix(tag, table.get(tag.outcome, len(table)))
        used += ID_BYTES + len(suffix)
        if used > room and place > start:
            return table, suffixes, place
        table.setdefault(tag.outcome, len(table))
        suffixes[tag] = suffix
    return table, suffixes, len(tags)


def _encode_suffix(tag: RowTag, outcome: int) -> bytes:
    return encode_long(tag.version) + encode_long(tag.amendment) + encode_long(outcome)
