"""Writes screenshots into docs/desk, small: a palette of 16 colours is enough for pages of text."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from collections.abc import Mapping
from typing import Final

from selenium import webdriver

from tests.monitoring.tools import ROOT

FOLDER: Final = ROOT / "docs" / "desk"

COLOURS: Final = 16
_BITS: Final = 4
_INDEXED: Final = 3

# The browser decodes the picture. The palette has the most frequent colours that differ enough from each other; each
# pixel gets the nearest one.
_REDUCE: Final = """
const [png, colours, done] = [arguments[0], arguments[1], arguments[arguments.length - 1]];
const picture = new Image();
picture.onload = () => {
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const data = context.getImageData(0, 0, picture.width, picture.height).data;
  const counts = new Map(), places = new Map(), palette = [];
  const at = (place) => (data[place] << 16) | (data[place + 1] << 8) | data[place + 2];
  for (let place = 0; place < data.length; place += 4) counts.set(at(place), (counts.get(at(place)) ?? 0) + 1);
  const measure = (one, other) => [16, 8, 0].reduce(
    (sum, shift) => sum + (((one >> shift) & 255) - ((other >> shift) & 255)) ** 2, 0);
  const frequent = [...counts].sort((one, other) => other[1] - one[1]).map(([colour]) => colour);
  for (const colour of frequent) {
    const nearest = counts.get(colour) * 400 > data.length / 4 ? 50 : 1500; // areas may differ slightly
    if (palette.length < colours && palette.every((each) => measure(each, colour) > nearest)) palette.push(colour);
  }
  for (const colour of frequent) {
    const distances = palette.map((each) => measure(each, colour));
    places.set(colour, distances.indexOf(Math.min(...distances)));
  }
  let indexes = "";
  for (let place = 0; place < data.length; place += 4) indexes += places.get(at(place)).toString(16);
  done([picture.width, picture.height, palette, indexes]);
};
picture.src = "data:image/png;base64," + png;
"""


def write_pictures(driver: webdriver.Chrome, pictures: Mapping[str, bytes]) -> None:
    """Write pictures, by the names of their files. The page that the browser shows stays as it is."""
    FOLDER.mkdir(exist_ok=True)
    here = driver.current_window_handle
    driver.switch_to.new_window("tab")  # the policy of the page does not hold there
    for name, picture in pictures.items():
        (FOLDER / name).write_bytes(reduce_colours(driver, picture))
    driver.close()
    driver.switch_to.window(here)


def reduce_colours(driver: webdriver.Chrome, png: bytes) -> bytes:
    """Return a picture as a PNG with at most 16 colours.

    Args:
        driver: A browser that shows no page whose policy would forbid the picture.
        png: The picture.
    """
    width, height, palette, indexes = driver.execute_async_script(_REDUCE, b64encode(png).decode(), COLOURS)
    rows = [indexes[start : start + width] for start in range(0, width * height, width)]
    lines = b"".join(b"\0" + bytes.fromhex(row + "0" * (width % 2)) for row in rows)
    header = struct.pack(">IIBBBBB", width, height, _BITS, _INDEXED, 0, 0, 0)
    colours = b"".join(int(colour).to_bytes(3, "big") for colour in palette)
    parts = ((b"IHDR", header), (b"PLTE", colours), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_make_chunk(*part) for part in parts)


def _make_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
