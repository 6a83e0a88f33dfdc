"""Tests that everything named in the documentation exists, and that everything that exists is documented.

Links, paths, commands and options, settings, topics, metrics, facts, types, causes.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry

from sharing.cli import COMMANDS
from sharing.cli.lazy_group import iterate_commands, load_command
from sharing.desk.web.desk_metrics import DeskMetrics, DeskReadings
from sharing.interop.import_results import UnpublishedCause
from sharing.law.facts import FACTS
from sharing.law.redaction import CONTENT_FIELDS
from sharing.model.indicator import Indicator
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import Collection, ConditionKind, Effect, OffenceCode, Outcome
from sharing.packs.library import list_shipped_pack_codes
from sharing.setting_sources import CONFIG_VARIABLE
from sharing.settings import Settings
from sharing.telemetry.client_metrics import PublisherMetrics, SubscriberMetrics
from sharing.telemetry.metrics import REGISTRY
from sharing.topology.topic_kinds import FOREVER
from sharing.topology.topics import CLOCK, TOPIC_KINDS
from tests.docs.doc_files import ROOT, get_page_name, list_pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_CODE = re.compile(r"`(?P<text>[^`\n]+)`")
_GENERATED = {"build", "dist"}  # created by commands
_TOP_LEVEL = tuple(
    entry.name
    for entry in ROOT.iterdir()
    if entry.is_dir() and not entry.name.startswith(".") and entry.name not in _GENERATED
)
_REPOSITORY_PATH = re.compile(rf"(?:{'|'.join(_TOP_LEVEL)})/[\w./<>*-]*")
_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_MILLISECONDS_A_DAY = 86_400_000
LIBRARY = CollectorRegistry()
for _kind in (PublisherMetrics, SubscriberMetrics):
    _kind(LIBRARY)
DeskMetrics(LIBRARY).watch(DeskReadings(read_silent_seconds=lambda: {"board": 0.0}))
OF_TESTS = ("SHARING_EXAMPLES", "SHARING_SCREENSHOTS")
"""Variables that only tests read."""

NOT_SET = "\N{EN DASH}"

PAGES = pytest.mark.parametrize("page", list_pages(), ids=get_page_name)


def read_text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def read_prose(page: Path) -> str:
    """Return a page without its fenced blocks, which `test_examples.py` checks."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def list_code_spans(page: str) -> set[str]:
    """Return all texts in backticks on a page."""
    return set(_CODE.findall(read_text(page)))


def read_table_rows(page: str) -> Iterator[list[str]]:
    """Yield the cells of each table row of a page."""
    for line in read_text(page).splitlines():
        if line.startswith("| "):
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip("|"))]


@PAGES
def test_links_have_targets(page: Path) -> None:
    for target in _LINK.findall(read_prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{get_page_name(page)}: {target} does not exist"
        if anchor:
            assert anchor in list_anchors(linked), f"{get_page_name(page)}: {target} is not a heading"


def list_anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub creates for a page's headings."""
    headings = re.findall(r"^#+ (.+)$", read_prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@PAGES
def test_paths_exist(page: Path) -> None:
    for text in _CODE.findall(read_prose(page)):
        if _REPOSITORY_PATH.fullmatch(text):
            pattern = re.sub(r"<\w+>", "*", text).rstrip("/")
            assert any(ROOT.glob(pattern)), f"{get_page_name(page)}: {text} does not exist"


@PAGES
def test_settings_exist(page: Path) -> None:
    known = {f"SHARING_{name.upper()}" for name in Settings.model_fields} | {CONFIG_VARIABLE, *OF_TESTS}
    named = set(re.findall(r"\bSHARING_[A-Z_]+\b", page.read_text(encoding="utf-8")))
    assert named <= known


def test_every_setting_is_documented_with_its_default() -> None:
    rows = {
        row[0].strip("`"): row[1].strip("`")
        for row in read_table_rows("docs/operate.md")
        if row[0].startswith("`SHARING_")
    }
    defaults = {
        f"SHARING_{name.upper()}": NOT_SET if field.default is None else str(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert rows == defaults
    assert CONFIG_VARIABLE in read_text("docs/operate.md")


@PAGES
def test_metrics_exist(page: Path) -> None:
    named = set(re.findall(r"\bsharing_[a-z_]+\b", page.read_text(encoding="utf-8")))
    assert named <= set(list_metrics())


def test_every_metric_is_documented() -> None:
    assert set(list_metrics()) <= list_code_spans("docs/operate.md")


def test_every_label_of_a_metric_is_documented() -> None:
    rows = {name: row[1] for row in read_table_rows("docs/operate.md") for name in _CODE.findall(row[0])}
    for name, labels in list_metrics().items():
        assert set(_CODE.findall(rows[name])) == set(labels), name


def list_metrics() -> dict[str, tuple[str, ...]]:
    """Return the metrics by their names in Prometheus, with their labels."""
    suffixes = {"counter": "_total", "info": "_info"}
    # The labels of an Info metric are part of its value; those of what a desk reads when asked, of its samples.
    labels = {
        "sharing_build": ("version", "python", "librdkafka"),
        "sharing_desk_silent_seconds": ("follower",),
        "sharing_directory": ("version",),
        "sharing_pack": ("state", "version", "sha256"),
    }
    return {
        f"{metric.name}{suffixes.get(metric.type, '')}": labels.get(metric.name, get_label_names(metric.name))
        for metric in (*REGISTRY.collect(), *LIBRARY.collect())
    }


def get_label_names(name: str) -> tuple[str, ...]:
    collectors: Any = {**REGISTRY._names_to_collectors, **LIBRARY._names_to_collectors}
    return tuple(getattr(collectors.get(name), "_labelnames", ()))  # process metrics have none


@cache
def list_loaded() -> Sequence[tuple[str, Any]]:
    """Return each command with its path. All pages need them, and building them takes a fifth of a second."""
    return [
        found
        for name, source in COMMANDS.items()
        for found in iterate_commands(f"sharing {name}", load_command(name, source))
    ]


@cache
def list_commands() -> Mapping[str, set[str]]:
    """Return each command with its long options."""
    return {
        path: {
            option
            for parameter in command.params
            if parameter.param_type_name == "option"
            for option in (*parameter.opts, *parameter.secondary_opts)
            if option.startswith("--")
        }
        for path, command in list_loaded()
    }


def test_every_command_and_option_is_documented_and_no_other() -> None:
    documented = {}
    for row in read_table_rows("docs/cli.md"):
        usage = row[0].strip("`")
        if usage.startswith("sharing "):
            path = re.match(r"sharing(?: [a-z]+(?:-[a-z]+)*)+", usage)
            assert path is not None
            documented[path[0]] = set(re.findall(r"--[a-z-]+", usage))
    assert documented == list_commands()


def test_required_options_are_shown_without_brackets() -> None:
    """Options in brackets in the table are optional; all others are required."""
    usages = [row[0].strip("`") for row in read_table_rows("docs/cli.md") if row[0].startswith("`sharing ")]
    commands = list_loaded()
    for usage in usages:
        command = next(command for path, command in commands if f"{usage} ".startswith(f"{path} "))
        without_optional = re.sub(r"\[[^\]]*\]", "", usage)
        required = {
            parameter.opts[0]
            for parameter in command.params
            if parameter.required and parameter.param_type_name == "option"
        }
        assert set(re.findall(r"--[a-z-]+", without_optional)) == required, usage


def test_every_command_has_a_line_with_an_example() -> None:
    examples = re.findall(r"^\$ (?:[A-Z_]+=\S+ )*(sharing .+)$", read_text("docs/cli.md"), re.MULTILINE)
    for path in list_commands():
        assert any(example == path or example.startswith(f"{path} ") for example in examples), path


@PAGES
def test_commands_in_running_text_exist(page: Path) -> None:
    tree = list_commands()
    for text in _CODE.findall(read_prose(page)):
        match = re.match(r"sharing((?: [a-z]+(?:-[a-z]+)*)+)", text)
        if match is None or get_page_name(page) == "docs/cli.md":
            continue
        words = match[1].split()
        paths = [f"sharing {' '.join(words[:count])}" for count in range(1, len(words) + 1)]
        assert any(path in tree or any(known.startswith(f"{path} ") for known in tree) for path in paths[:1]), text
        if not any(path in tree for path in paths):
            assert any(known.startswith(f"{paths[-1]} ") for known in tree), text


def test_topics_are_documented_with_key_and_retention() -> None:
    documented = {
        row[0].strip("`"): (row[2], row[3], row[4])
        for row in read_table_rows("docs/operate.md")
        if row[0].startswith(("`national.", "`exchange.", "`directory.", "`checkpoints."))
    }
    assert documented.keys() == {kind.topic("<st>") for kind in TOPIC_KINDS}
    for kind in TOPIC_KINDS:
        key, retention, batch = documented[kind.topic("<st>")]
        assert key == kind.key
        assert batch == f"{kind.max_message_bytes:,}"
        assert retention.endswith(", one partition") == kind.single_partition
        if kind is CLOCK:
            assert retention == "1 hour, one partition"
        elif kind.retention_ms == FOREVER:
            assert retention.startswith("last record of each key (compacted)" if kind.compacted else "forever")
        else:
            days = f"{kind.retention_ms // _MILLISECONDS_A_DAY} days"
            kept = retention.removesuffix(", one partition")
            assert kept == (f"{days}; last record of each key (compacted)" if kind.compacted else days)


def test_every_field_type_and_code_is_documented_for_publishers() -> None:
    named = list_code_spans("docs/publish.md")
    assert set(VALUE_TYPES) <= named
    assert {str(code) for code in OffenceCode} <= named
    assert {str(collection) for collection in Collection} - {"UNKNOWN"} <= named
    assert {str(cause) for cause in UnpublishedCause} <= named
    fields = {name.partition(".")[0] for name in named}
    assert set(Indicator.model_fields) <= fields


def test_every_fact_and_effect_is_documented_for_lawyers() -> None:
    named = list_code_spans("docs/law.md")
    assert {name for name in FACTS if not name.startswith("findings.")} <= named
    assert {str(effect) for effect in Effect} <= named
    text = read_text("docs/law.md")
    assert all(f"**{outcome}**" in text for outcome in Outcome)


def test_every_kind_of_condition_is_documented_for_subscribers() -> None:
    assert {str(kind) for kind in ConditionKind} <= list_code_spans("docs/subscribe.md")


def test_every_pack_has_its_divergences() -> None:
    pages = {page.stem.upper() for page in (ROOT / "docs" / "divergences").glob("*.md")}
    assert pages == set(list_shipped_pack_codes())


def test_divergences_name_existing_rules() -> None:
    for state in list_shipped_pack_codes():
        pack = read_text(f"sharing/packs/shipped/{state.lower()}.yaml") + read_text("sharing/packs/shipped/common.yaml")
        ids = set(re.findall(r"^  - id: (\S+)", pack, re.MULTILINE))
        prefixes = tuple(f"{name}." for name in (state.lower(), "common"))
        page = ROOT / "docs" / "divergences" / f"{state.lower()}.md"
        for text in list_code_spans(str(page)) if page.is_file() else ():
            if text.startswith(prefixes) and not text.endswith((".yaml", ".md")):
                known = text in ids or (text.endswith("*") and any(rule.startswith(text[:-1]) for rule in ids))
                assert known, f"{state}: {text} is not a rule"


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "adr").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_decision_pages_have_the_same_sections_and_their_number_as_title() -> None:
    """Each has Context, Decision, optional Measurements, and Consequences, in this order."""
    sections = ["Context", "Decision", "Measurements", "Consequences"]
    for page in sorted((ROOT / "docs" / "adr").glob("*.md")):
        text = read_prose(page)
        assert text.startswith(f"# {int(page.name[:4])}. "), page.name
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings in (sections, [name for name in sections if name != "Measurements"]), page.name


def test_a_notice_contains_neither_officer_nor_findings() -> None:
    """`source.officer` and the findings are not disclosed, as the page for publishers promises."""
    assert not {name for name in CONTENT_FIELDS if "officer" in name or "finding" in name}
    assert "source_case" in CONTENT_FIELDS
