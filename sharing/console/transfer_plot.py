"""Draws what left a State as a chart (SVG): a bar for each State, with a part for each thing that was done.

It has no script and loads nothing, follows the reader's light or dark theme, and says all it shows in text, for those
who do not see it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final
from xml.sax.saxutils import escape

from sharing.audit.transfers import TransferKind, TransferRow

_COLOURS: Final = {
    TransferKind.SENT: ("#1d4ed8", "#60a5fa"),
    TransferKind.RELEASED: ("#0f766e", "#2dd4bf"),
    TransferKind.CORRECTED: ("#a16207", "#facc15"),
    TransferKind.RECALLED: ("#b91c1c", "#f87171"),
    TransferKind.OFFERED: ("#7e22ce", "#c084fc"),
    TransferKind.HELD: ("#475569", "#94a3b8"),
    TransferKind.WITHHELD: ("#1f2937", "#d1d5db"),
}
"""For each thing that is done the colours on a light and on a dark background: 4.5 to 1 and more against it."""

_LEFT, _WIDTH, _ROW, _TOP = 60, 520, 28, 66
_TOTAL_WIDTH: Final = 720
_FORM: Final = 'xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" font-size="13"'


def draw_transfers(state: str, rows: Mapping[TransferRow, int]) -> str:
    """Return the chart.

    Args:
        state: The State from which it left.
        rows: How often each row occurred.
    """
    counts: dict[str, Counter[TransferKind]] = {}
    for row, count in rows.items():
        counts.setdefault(row.state, Counter())[row.kind] += count
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1].total(), entry[0]))
    kinds = [kind for kind in TransferKind if any(each[kind] for each in counts.values())]
    months = sorted({row.month for row in rows})
    period = "" if not months else f", {months[0]}" if len(months) == 1 else f", {months[0]} to {months[-1]}"
    title = f"What left {state}, by State{period}"
    height = _TOP + max(len(ordered), 1) * _ROW + 8
    lines = [
        f'<svg {_FORM} viewBox="0 0 {_TOTAL_WIDTH} {height}" role="img" aria-labelledby="title description">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="description">{escape(describe_transfers(counts))}</desc>',
        _make_style(),
        f'<rect class="ground" width="{_TOTAL_WIDTH}" height="{height}"/>',
        f'<text x="12" y="22" font-weight="bold">{escape(title)}</text>',
        *_draw_legend(kinds),
        *_draw_bars(ordered, kinds),
        "</svg>",
    ]
    return "".join(f"{line}\n" for line in lines)


def describe_transfers(counts: Mapping[str, Counter[TransferKind]]) -> str:
    """Return what the chart shows, in words: for each State, in alphabetical order, how often what was done."""
    sentences = [
        f"{state}: {', '.join(f'{each[kind]} {kind.lower()}' for kind in TransferKind if each[kind])}."
        for state, each in sorted(counts.items())
    ]
    return " ".join(sentences) or "Nothing left the State."


def _make_style() -> str:
    light = "".join(f".{kind.lower()}{{fill:{light}}}" for kind, (light, _) in _COLOURS.items())
    dark = "".join(f".{kind.lower()}{{fill:{dark}}}" for kind, (_, dark) in _COLOURS.items())
    return (
        f"<style>.ground{{fill:#fff}}text{{fill:#111827}}{light}"
        f"@media (prefers-color-scheme:dark){{.ground{{fill:#0d1117}}text{{fill:#e6edf3}}{dark}}}</style>"
    )


def _draw_legend(kinds: list[TransferKind]) -> Iterator[str]:
    for place, kind in enumerate(kinds):
        left = 12 + place * 100
        yield f'<rect class="{kind.lower()}" x="{left}" y="36" width="12" height="12" rx="2"/>'
        yield f'<text x="{left + 18}" y="47">{kind.lower()}</text>'


def _draw_bars(ordered: list[tuple[str, Counter[TransferKind]]], kinds: list[TransferKind]) -> Iterator[str]:
    longest = max((each.total() for _, each in ordered), default=1)
    for row, (state, each) in enumerate(ordered):
        top, left = _TOP + row * _ROW, float(_LEFT)
        yield f'<text x="{_LEFT - 8}" y="{top + 14}" text-anchor="end">{escape(state)}</text>'
        for kind in kinds:
            width = _WIDTH * each[kind] / longest
            if each[kind]:
                place = f'x="{left:.1f}" y="{top}" width="{max(width - 1, 1):.1f}" height="20"'
                title = f"{escape(state)}: {each[kind]} {kind.lower()}"
                yield f'<rect class="{kind.lower()}" {place}><title>{title}</title></rect>'
            left += width
        yield f'<text x="{left + 8:.1f}" y="{top + 14}">{each.total():,}</text>'
