"""The plot of `docs/audit.md` shows the values beside it, in both themes, and in words."""

from __future__ import annotations

import csv
from xml.etree import ElementTree as ET

from sharing.audit.transfers import Grounds, TransferKind, TransferRow
from sharing.console.transfer_plot import draw_transfers
from tests.docs.transfers_plot import CSV, PLOT, STATE

_SVG = "{http://www.w3.org/2000/svg}"


def read_rows() -> dict[TransferRow, int]:
    with CSV.open(encoding="utf-8", newline="") as opened:
        return {
            TransferRow(
                row["month"], row["state"], TransferKind(row["what"].upper()), Grounds(row["basis"], row["law"])
            ): int(row["count"])
            for row in csv.DictReader(opened)
        }


def test_the_plot_is_current() -> None:
    rows = read_rows()
    assert sum(rows.values()) > 0
    assert PLOT.read_text(encoding="utf-8") == draw_transfers(STATE, rows), "run `python -m tests.docs.transfers_plot`"


def test_every_count_is_drawn_and_said() -> None:
    grounds = (Grounds("A", "a"), Grounds("B", "<b>"))
    rows = {
        TransferRow("2026-01", "DE", TransferKind.SENT, grounds[0]): 30,
        TransferRow("2026-02", "DE", TransferKind.SENT, grounds[1]): 10,
        TransferRow("2026-02", "DE", TransferKind.RECALLED, grounds[1]): 10,
        TransferRow("2026-02", "FR", TransferKind.RELEASED, grounds[1]): 25,
    }
    text = draw_transfers("CH", rows)
    root = ET.fromstring(text)  # noqa: S314 what was made here
    assert root.attrib["role"] == "img"
    assert root.findtext(f"{_SVG}title") == "What left CH, by State, 2026-01 to 2026-02"
    assert root.findtext(f"{_SVG}desc") == "DE: 40 sent, 10 recalled. FR: 25 released."
    bars = [each for each in root.iter(f"{_SVG}rect") if each.find(f"{_SVG}title") is not None]
    widths = {each.findtext(f"{_SVG}title"): round(float(each.attrib["width"])) for each in bars}
    assert widths == {"DE: 40 sent": 415, "DE: 10 recalled": 103, "FR: 25 released": 259}
    assert "prefers-color-scheme:dark" in text
    assert "<script" not in text
    assert "href" not in text


def test_nothing_is_drawn_of_nothing() -> None:
    root = ET.fromstring(draw_transfers("CH", {}))  # noqa: S314 what was made here
    assert root.findtext(f"{_SVG}desc") == "Nothing left the State."
