"""What the documentation names exists, and what exists is documented.

Links, paths, commands and options, settings, topics, metrics, facts, types, causes.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry

from sharing.cli import COMMANDS
from sharing.cli.lazy_group import load_command
from sharing.interop.reading import Cause
from sharing.law.facts import FACTS
from sharing.law.redact import CONTENT_FIELDS
from sharing.model.indicator import Indicator
from sharing.model.values import VALUE_TYPES
from sharing.model.vocabulary import Collection, ConditionKind, Effect, OffenceCode, Outcome
from sharing.packs.library import shipped_packs
from sharing.settings import CONFIG_VARIABLE, Settings
from sharing.telemetry.client_metrics import PublisherMetrics, SubscriberMetrics
from sharing.telemetry.metrics import REGISTRY
from sharing.topology.topics import CLOCK, FOREVER, TABLE, TopicScope
from tests.docs.doc_files import ROOT, documents, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_CODE = re.compile(r"`(?P<text>[^`\n]+)`")
_MADE = {"build", "dist"}  # what commands make, where they have run
_TOP = tuple(
    entry.name
    for entry in ROOT.iterdir()
    if entry.is_dir() and not entry.name.startswith(".") and entry.name not in _MADE
)
_REPOSITORY_PATH = re.compile(rf"(?:{'|'.join(_TOP)})/[\w./<>*-]*")
_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_MILLISECONDS_A_DAY = 86_400_000
LIBRARY = CollectorRegistry()
for _kind in (PublisherMetrics, SubscriberMetrics):
    _kind(LIBRARY)
NOT_SET = "\N{EN DASH}"

PAGES = pytest.mark.parametrize("page", documents(), ids=name_of)


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose_of(page: Path) -> str:
    """Return a page without its fenced blocks, whose content `test_examples.py` looks at."""
    return _FENCED.sub("", page.read_text(encoding="utf-8"))


def named_in(page: str) -> set[str]:
    """Return all that stands in backticks on a page."""
    return set(_CODE.findall(text_of(page)))


def rows_of(page: str) -> Iterator[list[str]]:
    """Yield the cells of each table row of a page."""
    for line in text_of(page).splitlines():
        if line.startswith("| "):
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip("|"))]


@PAGES
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(prose_of(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), f"{name_of(page)}: {target} does not exist"
        if anchor:
            assert anchor in headings(place), f"{name_of(page)}: {target} is no heading"


def headings(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    found = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


@PAGES
def test_paths_exist(page: Path) -> None:
    for text in _CODE.findall(prose_of(page)):
        if _REPOSITORY_PATH.fullmatch(text):
            pattern = re.sub(r"<\w+>", "*", text).rstrip("/")
            assert any(ROOT.glob(pattern)), f"{name_of(page)}: {text} does not exist"


@PAGES
def test_settings_exist(page: Path) -> None:
    known = {f"SHARING_{name.upper()}" for name in Settings.model_fields} | {CONFIG_VARIABLE, "SHARING_EXAMPLES"}
    named = set(re.findall(r"\bSHARING_[A-Z_]+\b", page.read_text(encoding="utf-8")))
    assert named <= known


def test_every_setting_is_documented_with_its_default() -> None:
    rows = {
        row[0].strip("`"): row[1].strip("`") for row in rows_of("docs/operate.md") if row[0].startswith("`SHARING_")
    }
    defaults = {
        f"SHARING_{name.upper()}": NOT_SET if field.default is None else str(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert rows == defaults
    assert CONFIG_VARIABLE in text_of("docs/operate.md")


@PAGES
def test_metrics_exist(page: Path) -> None:
    named = set(re.findall(r"\bsharing_[a-z_]+\b", page.read_text(encoding="utf-8")))
    assert named <= set(metric_names())


def test_every_metric_is_documented() -> None:
    assert set(metric_names()) <= named_in("docs/operate.md")


def test_every_label_of_a_metric_is_documented() -> None:
    rows = {name: row[1] for row in rows_of("docs/operate.md") for name in _CODE.findall(row[0])}
    for name, labels in metric_names().items():
        assert set(_CODE.findall(rows[name])) == set(labels), name


def metric_names() -> dict[str, tuple[str, ...]]:
    """Return the metrics as Prometheus shows them, with their labels."""
    suffixes = {"counter": "_total", "info": "_info"}
    # An Info's labels come with its value.
    labels = {"sharing_pack": ("state", "version", "sha256"), "sharing_build": ("version", "python", "librdkafka")}
    return {
        f"{metric.name}{suffixes.get(metric.type, '')}": labels.get(metric.name, collector_labels(metric.name))
        for metric in (*REGISTRY.collect(), *LIBRARY.collect())
    }


def collector_labels(name: str) -> tuple[str, ...]:
    collectors: Any = {**REGISTRY._names_to_collectors, **LIBRARY._names_to_collectors}
    return tuple(getattr(collectors.get(name), "_labelnames", ()))  # those of the process have none


def command_tree() -> dict[str, set[str]]:
    """Return each command with its long options."""
    found: dict[str, set[str]] = {}

    def walk(command: Any, path: str) -> None:
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, f"{path} {name}")
        if not hasattr(command, "commands"):
            found[path] = {
                option
                for parameter in command.params
                if parameter.param_type_name == "option"
                for option in (*parameter.opts, *parameter.secondary_opts)
                if option.startswith("--")
            }

    for name, source in COMMANDS.items():
        walk(load_command(name, source), f"sharing {name}")
    return found


def test_every_command_and_option_is_documented_and_no_other() -> None:
    documented = {}
    for row in rows_of("docs/cli.md"):
        usage = row[0].strip("`")
        if usage.startswith("sharing "):
            path = re.match(r"sharing(?: [a-z]+)+", usage)
            assert path is not None
            documented[path[0]] = set(re.findall(r"--[a-z-]+", usage))
    assert documented == command_tree()


def test_required_options_are_marked_so() -> None:
    """What stands in brackets in the table may be left out; what does not is required."""
    usages = [row[0].strip("`") for row in rows_of("docs/cli.md") if row[0].startswith("`sharing ")]
    for usage in usages:
        _, name, *words = usage.split()
        command: Any = load_command(name, COMMANDS[name])
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        bare = re.sub(r"\[[^\]]*\]", "", usage)
        required = {
            parameter.opts[0]
            for parameter in command.params
            if parameter.required and parameter.param_type_name == "option"
        }
        assert set(re.findall(r"--[a-z-]+", bare)) == required, usage


def test_every_command_has_a_line_with_an_example() -> None:
    examples = re.findall(r"^\$ (?:[A-Z_]+=\S+ )*(sharing .+)$", text_of("docs/cli.md"), re.MULTILINE)
    for path in command_tree():
        assert any(example == path or example.startswith(f"{path} ") for example in examples), path


@PAGES
def test_commands_in_running_text_exist(page: Path) -> None:
    tree = command_tree()
    for text in _CODE.findall(prose_of(page)):
        found = re.match(r"sharing((?: [a-z]+(?:-[a-z]+)*)+)", text)
        if found is None or name_of(page) == "docs/cli.md":
            continue
        words = found[1].split()
        paths = [f"sharing {' '.join(words[:count])}" for count in range(1, len(words) + 1)]
        assert any(path in tree or any(known.startswith(f"{path} ") for known in tree) for path in paths[:1]), text
        if not any(path in tree for path in paths):
            assert any(known.startswith(f"{paths[-1]} ") for known in tree), text


def test_topics_are_documented_as_they_are() -> None:
    documented = {
        row[0].strip("`"): (row[2], row[3])
        for row in rows_of("docs/operate.md")
        if row[0].startswith(("`national.", "`exchange."))
    }
    assert documented.keys() == {kind.topic("<st>") for kind in TABLE}
    for kind in TABLE:
        key, kept = documented[kind.topic("<st>")]
        assert key == kind.key
        if kind is CLOCK:
            assert kept == "1 hour, one partition"
        elif kind.scope is TopicScope.DIRECTORY:
            assert kept.startswith("last of each key, one partition")
        elif kind.retention_ms == FOREVER:
            assert kept.startswith("for ever")
        else:
            assert kept == f"{kind.retention_ms // _MILLISECONDS_A_DAY} days"


def test_every_field_type_and_code_is_named_to_publishers() -> None:
    named = named_in("docs/publish.md")
    assert set(VALUE_TYPES) <= named
    assert {str(code) for code in OffenceCode} <= named
    assert {str(collection) for collection in Collection} - {"UNKNOWN"} <= named
    assert {str(cause) for cause in Cause} <= named
    fields = {name.partition(".")[0] for name in named}
    assert set(Indicator.model_fields) <= fields


def test_every_fact_and_effect_is_named_to_lawyers() -> None:
    named = named_in("docs/law.md")
    assert {name for name in FACTS if not name.startswith("findings.")} <= named
    assert {str(effect) for effect in Effect} <= named
    text = text_of("docs/law.md")
    assert all(f"**{outcome}**" in text for outcome in Outcome)


def test_every_kind_of_condition_is_named_to_receivers() -> None:
    assert {str(kind) for kind in ConditionKind} <= named_in("docs/subscribe.md")


def test_every_pack_has_its_divergences() -> None:
    pages = {page.stem.upper() for page in (ROOT / "docs" / "divergences").glob("*.md")}
    assert pages == set(shipped_packs())


def test_divergences_name_rules_that_exist() -> None:
    for state in shipped_packs():
        pack = text_of(f"sharing/packs/shipped/{state.lower()}.yaml") + text_of("sharing/packs/shipped/common.yaml")
        ids = set(re.findall(r"^  - id: (\S+)", pack, re.MULTILINE))
        prefixes = tuple(f"{name}." for name in (state.lower(), "common"))
        page = ROOT / "docs" / "divergences" / f"{state.lower()}.md"
        for text in named_in(str(page)) if page.is_file() else ():
            if text.startswith(prefixes) and not text.endswith((".yaml", ".md")):
                known = text in ids or (text.endswith("*") and any(rule.startswith(text[:-1]) for rule in ids))
                assert known, f"{state}: {text} is no rule"


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "adr").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_what_leaves_with_a_notice_is_what_the_pages_say() -> None:
    """`source.officer` and the findings stay at home, as the page for publishers promises."""
    assert not {name for name in CONTENT_FIELDS if "officer" in name or "finding" in name}
    assert "source_case" in CONTENT_FIELDS
