"""Padding of contents to classes of lengths, so that a ciphertext tells little about how long its content is.

The classes are 512 bytes and, from there, two for each doubling: 512, 768, 1,024, 1,536 … up to 786,432 bytes.
One byte 0x80 follows the content, then zeros up to the class (ISO/IEC 9797-1, padding method 2).

Overhead: at most half of the content's length for contents of 512 bytes and more, a fifth on average. What it hides:
everything about a content's length except its class, of which there are 22; a free text, a value, or the number of
rules and conditions rarely changes the class. What remains visible: the class. A text of several thousand characters is
noticeable.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from sharing.seal.faults import SealError, SealFault

LENGTH_CLASSES: Final = tuple(sorted({512 << step for step in range(11)} | {768 << step for step in range(11)}))
CONTENT_BYTES_MAX: Final = LENGTH_CLASSES[-1] - 1
"""Longer contents are not sealed."""

SEALED_OVERHEAD_BYTES_MAX: Final = 6_000
"""A sealed record without its padded content: envelope, wrapped key, proof and signature; about 3,000 at most.

If it were 8,000, the longest indicator would no longer fit, padded and sealed, into what topics accept. The gate would
then not know whether an item fits without checking its length, and would process all items one by one.
"""

_MARK: Final = b"\x80"


def find_length_class(length: int) -> int:
    """Return the length to which a content of this length is padded.

    Raises:
        SealError: It is longer than `CONTENT_BYTES_MAX`.
    """
    if length > CONTENT_BYTES_MAX:
        raise SealError(
            SealFault.NOT_SEALABLE,
            f"the record has {length:,} bytes, of which {CONTENT_BYTES_MAX:,} can be sealed; shorten its texts",
        )
    return LENGTH_CLASSES[bisect_left(LENGTH_CLASSES, length + 1)]


def find_content_bytes_max(record_bytes_max: int) -> int:
    """Return the length of the longest content whose sealed record has at most this many bytes; 0 if there is none."""
    fitting = [length for length in LENGTH_CLASSES if length + SEALED_OVERHEAD_BYTES_MAX <= record_bytes_max]
    return max(fitting, default=1) - 1


def pad_content(content: bytes) -> bytes:
    """Return a content, padded to its class.

    Raises:
        SealError: It is too long.
    """
    return (content + _MARK).ljust(find_length_class(len(content)), b"\x00")


def remove_padding(padded: bytes) -> bytes:
    """Return the content of a padded one.

    Raises:
        SealError: It is not padded as `pad_content` does it.
    """
    marked = padded.rstrip(b"\x00")
    content = marked[:-1]
    if marked[-1:] != _MARK or len(content) > CONTENT_BYTES_MAX or find_length_class(len(content)) != len(padded):
        raise SealError(SealFault.BAD_PADDING, "the content is not padded correctly; its sender is at fault")
    return content
