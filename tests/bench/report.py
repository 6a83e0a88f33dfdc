"""Makes the table and the plot of `docs/performance.md` from `build/bench.json`: `python -m tests.bench.report`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench.figures import FILE

PAGE = Path("docs/performance.md")
PLOT = Path("docs/performance.svg")
BEGIN, END = "<!-- begin: made by python -m tests.bench.report -->", "<!-- end -->"

_ENGINES = (
    ("pass_through", "Pass-through of the same outputs, bare loop", 0.8),
    ("pass_through_lane", "The same through a Faust agent on a lane", None),
    ("kafka_streams", "Kafka Streams, exactly-once v2", 0.8),
    ("codec_floor", "Codec floor: decode and encode, nothing else", 2.0),
    ("quixstreams", "quixstreams, exactly once", 3.0),
    ("faust", "Plain Faust", 20.0),
)
"""Key, what it is, and how many times its rate the gate is to have."""

_GROWTH = (
    ("states_10_to_193", "Directory of 10 → 193 States: time for each indicator"),
    ("interests_1e3_to_1e6", "10³ → 10⁶ interests: time for each indicator"),
    ("partitions_1_to_16", "1 → 16 partitions: time for each indicator"),
)
GROWTH_MAX = 1.3
_BESIDE = "gate_beside_kafka_streams"
TIMES = "\N{MULTIPLICATION SIGN}"


def main() -> None:
    """Write both."""
    figures = json.loads(FILE.read_text(encoding="utf-8"))
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    table = "\n".join(make_table(figures))
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")
    PLOT.write_text(make_plot(figures), encoding="utf-8")
    sys.stdout.write(f"{PAGE} and {PLOT} follow {FILE}.\n")


def make_table(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the tables."""
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    yield f"Machine: {figures['machine']}, shared with the broker. Versions: {versions}."
    commands = ", ".join(f"`{command}`" for command in dict.fromkeys(figures["commands"].values()))
    yield f"Measured until {max(figures['measured_at'].values())} by {commands}."
    yield ""
    yield "| with 10 % disclosed | records/s | the gate has | target |"
    yield "| --- | ---: | ---: | ---: |"
    yield from _rate_rows(figures)
    yield ""
    yield from _round_lines(figures)
    yield "| | measured | target |"
    yield "| --- | ---: | ---: |"
    yield from _other_rows(figures)


def _rate_rows(figures: Mapping[str, Any]) -> Iterator[str]:
    rates = figures["rates"]
    gate = rates["gate"]
    yield f"| **The gate** | **{_number(gate)}** | | |"
    for name, what, target in _ENGINES:
        rate, beside = rates.get(name), figures.get(f"gate_beside_{name}")
        own, note = beside or gate, f"; the gate beside it: {_number(beside)}" if beside else ""
        ratio = f"{own / rate:.2f} {TIMES}" if own and rate else "not measured"
        yield f"| {what}{note} | {_number(rate)} | {ratio} | {f'≥ {target:g} {TIMES}' if target else ''} |"
    for share, found in figures.get("by_share", {}).items():
        what = f"The gate with {float(share):.0%} disclosed, and its pass-through ({_number(found['pass_through'])})"
        yield f"| {what} | {_number(found['gate'])} | {found['gate'] / found['pass_through']:.2f} {TIMES} | |"


def _round_lines(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield how far the rounds lie apart, of which the table has the medians."""
    rounds = figures.get("rounds", {})
    if rounds.get("gate"):
        said = "; ".join(
            f"{what} {', '.join(_number(rate) for rate in rounds[name])}"
            for name, what in (("gate", "gate"), ("pass_through", "bare"), ("pass_through_lane", "on a lane"))
        )
        yield f"Each round, in its order: {said}."
        yield ""


def _other_rows(figures: Mapping[str, Any]) -> Iterator[str]:
    for rate, found in figures["latency_ms"].items():
        target = "p99 ≤ 50 ms" if rate == "1000" else ""
        times = " / ".join(f"{found[name]:.1f}" for name in ("p50", "p99", "p999"))
        what = f"Published → committed notice at {int(rate):,}/s, p50 / p99 / p99.9 of {found['notices']:,} notices"
        yield f"| {what} | {times} ms | {target} |"
    decision, cedar = figures["decision_us"], figures["cedarpy_us"]
    if decision is not None:
        yield f"| A decision for 193 States, remembered | {decision:.2f} µs | |"
    if decision is not None and cedar is not None:
        ratio = f"{cedar:.0f} µs: {cedar / decision:.0f} {TIMES} that"
        yield f"| cedarpy on an equivalent policy | {ratio} | ≥ 50 {TIMES} |"
    if figures["restart_s"] is not None:
        yield f"| Restart to first commit with 10⁶ ledger records | {figures['restart_s']:.1f} s | ≤ 5 s |"
    if figures["rss_mb"] is not None:
        yield f"| Memory of the gate, most of it resident at once | {figures['rss_mb']:.0f} MB | ≤ 400 MB |"
    growth = figures.get("growth", {})
    for name, what in _GROWTH:
        if name in growth:
            yield f"| {what} | {TIMES} {growth[name]:.2f} | ≤ {GROWTH_MAX} |"
    if "workers_1_to_2" in growth:
        two = growth["workers_1_to_2"]
        yield f"| 1 → 2 workers: rate, on two cores that the broker uses too | {TIMES} {two:.2f} | |"
    if "bulk" in figures:
        yield from _bulk_rows(figures["bulk"])


def _bulk_rows(bulk: Mapping[str, Any]) -> Iterator[str]:
    yield f"| Bulk load of {bulk['records']:,} indicators | {_number(bulk['rate'])} /s | |"
    memory = f"{bulk['rss_mb_after_a_tenth']:.0f} → {bulk['rss_mb_at_the_end']:.0f} MB"
    yield f"| Memory from its first tenth to its end | {memory} | no growth |"


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:,.0f}"


def make_plot(figures: Mapping[str, Any]) -> str:
    """Return the rates as bars: an SVG that is read on light and on dark ground."""
    names = {"gate": "The gate", _BESIDE: "The gate beside Kafka Streams", **{name: what for name, what, _ in _ENGINES}}
    known = {**figures["rates"], _BESIDE: figures.get(_BESIDE)}
    rates = {name: known[name] for name in names if known.get(name)}
    ordered = sorted(rates.items(), key=lambda entry: -entry[1])
    longest, height = max(rates.values()), 26
    lines = []
    for place, (name, rate) in enumerate(ordered):
        top, width = 34 + place * height, max(1.0, 330 * rate / longest)
        colour = "#c2410c" if name in {"gate", _BESIDE} else "#64748b"
        lines.append(f'<text x="300" y="{top + 13}" text-anchor="end">{names[name]}</text>')
        lines.append(f'<rect x="308" y="{top}" width="{width:.1f}" height="18" rx="2" fill="{colour}"/>')
        lines.append(f'<text x="{314 + width:.1f}" y="{top + 13}">{rate:,.0f}</text>')
    total = 34 + len(ordered) * height + 8
    head = '<text x="12" y="20" font-weight="bold">Indicators a second on one broker, 10 % disclosed</text>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {total}" font-family="sans-serif" font-size="13">\n'
        f'<rect width="720" height="{total}" fill="#ffffff"/>\n<g fill="#111827">\n{head}\n'
        + "\n".join(lines)
        + "\n</g>\n</svg>\n"
    )


if __name__ == "__main__":
    main()
