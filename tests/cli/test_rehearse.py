"""`sharing law rehearse`: what an amendment would change, told without any content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sharing._publisher import Publisher
from sharing.model.indicator import Indicator
from sharing.packs.library import find_law, pack_place, read_text
from tests.bench.rehearsal import NARROWED
from tests.cli.conftest import Call
from tests.cli.test_explain import AT, ITEM, lay

if TYPE_CHECKING:
    from sharing.testing.broker.embedded import EmbeddedBroker

CANARY = "canary-7f3a"
ADDED = """\
  - id: ch.zz-1
    citation: An invented amendment, art. 1
    paraphrase: Between States of Schengen, what is passed on is used for police purposes only.
    source: K
    verified: false
    valid: {from: 2026-01-01}
    when: {source.authority: POLICE, recipient.state: DE}
    effect: CONDITION
    needs: {condition: {kind: PURPOSE, text: Used for police purposes only.}}
"""


def item(number: int, **changes: Any) -> dict[str, Any]:
    """Return an item of which every text is told apart from all that a report says."""
    return {
        **ITEM,
        "id": f"018f3c1e-7b1a-7c3d-8e2f-{number:012}",
        "value": f"{CANARY}-{number}.example.nl",
        "summary": f"{CANARY} summary",
        "source": {
            "authority": "POLICE",
            "agency": f"{CANARY} agency",
            "officer": f"{CANARY}-9",
            "case": f"{CANARY}-4",
        },
        "nexus": [{"state": "NL", "reason": f"{CANARY} reason"}],
        **changes,
    }


ITEMS = [
    item(1),
    item(2, collection="VOLUNTARY"),
    item(3, live_case_harm=True),
    item(4, purpose=None),
    item(5, nexus=[{"state": "DE", "reason": f"{CANARY} reason"}], value=f"{CANARY}.example.org"),
    item(6, collection="VOLUNTARY", value=f"{CANARY}.example.de"),
]


def amend(*replaced: tuple[str, str], added: str = "", name: str = "amended.yaml") -> Path:
    """Lay down the pack of Switzerland with some words replaced and some rules added."""
    text = read_text(pack_place("CH")).replace("version: 2026.1", "version: 2026.2", 1)
    for old, new in replaced:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = Path(name)
    path.write_text(text.rstrip("\n") + "\n" + added)
    return path


def hidden(text: str) -> str:
    """Return a report with what changes whenever a pack is mended hidden, and without spaces at the ends of lines."""
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join("           sha256 (its hash)" if "sha256" in line else line for line in lines) + "\n"


def test_the_report_of_an_amendment(call: Call) -> None:
    candidate = amend(NARROWED, added=ADDED)
    done = call("law", "rehearse", "--candidate", candidate, "--events", lay("items.jsonl", *ITEMS), *AT)
    assert done.code == 0
    golden = Path(__file__).with_name("golden") / "rehearsal.txt"
    assert hidden(done.out) == golden.read_text()
    assert max(map(len, done.out.splitlines())) <= 96
    assert find_law("CH").pack.sha256 in done.out


def test_no_content_is_shown(call: Call) -> None:
    lay("items.jsonl", *ITEMS, {**item(7), "frm": CANARY}, item(8, type="ipv4-addr"))
    candidate = amend(NARROWED, added=ADDED)
    for more in ((), ("--json",), ("--record", "recording.avro", "--examples", "100")):
        done = call("law", "rehearse", "--candidate", candidate, "--events", "items.jsonl", *AT, *more)
        assert done.code == 0
        assert CANARY not in done.out + done.err
        assert ITEMS[0]["id"] in done.out
        assert "items.jsonl: line 7: frm: unknown field" in done.err
        assert "items.jsonl: line 8: value" in done.err


def test_the_document_of_an_amendment(call: Call) -> None:
    candidate = amend(NARROWED, added=ADDED)
    file = lay("items.jsonl", *ITEMS)
    found = call("law", "rehearse", "--candidate", candidate, "--events", file, *AT, "--json").document
    assert (found["state"], found["at"], found["read"], found["not_read"]) == ("CH", "2026-03-01T12:00:00.000Z", 6, 0)
    assert (found["now"]["version"], found["candidate"]["version"]) == ("2026.1", "2026.2")
    assert found["now"]["sha256"] == find_law("CH").pack.sha256 != found["candidate"]["sha256"]
    assert found["packs"]["rules"] == [
        {"id": "ch.siag-7", "what": ["when"]},
        {"id": "ch.zz-1", "what": ["new"]},
    ]
    for state, shifts in found["states"].items():
        for shift in shifts:
            assert len(shift["examples"]) <= min(3, shift["indicators"]), state
    decided = {
        name: {one["state"]: one["outcome"] for one in line["recipients"]}
        for name in ("now", "then")
        for line in explain_all(call, name, candidate, file)[:1]
    }
    first = ITEMS[0]["id"]
    for state, outcome in decided["now"].items():
        (shift,) = (shift for shift in found["states"][state] if first in shift["examples"])
        assert (shift["now"], shift["then"]) == (outcome, decided["then"][state])


def explain_all(call: Call, which: str, candidate: Path, file: Path) -> list[Any]:
    """Explain a file under the law now, or the candidate."""
    folder = Path(which)
    folder.mkdir(exist_ok=True)
    text = read_text(pack_place("CH")) if which == "now" else candidate.read_text()
    (folder / "ch.yaml").write_text(text)
    return call("law", "explain", file, "--state", "CH", "--packs", folder, *AT, "--json").lines


def test_of_the_same_pack_nothing_changes(call: Call) -> None:
    same = Path("same.yaml")
    same.write_text(read_text(pack_place("CH")))
    file = lay("items.jsonl", *ITEMS)
    done = call("law", "rehearse", "--candidate", same, "--events", file, *AT)
    assert done.code == 0
    assert "Nothing would change: of 6 indicators, each State gets the same, on the same terms." in done.out
    assert "their hashes are the same" in done.out
    found = call("law", "rehearse", "--candidate", same, "--events", file, *AT, "--json").document
    assert (found["altered"], found["terms"]) == (0, [])
    assert not any(shift["altered"] for shifts in found["states"].values() for shift in shifts)


def test_what_is_recorded_rehearses_alike(call: Call) -> None:
    candidate = amend(NARROWED)
    arguments = ("law", "rehearse", "--candidate", candidate, "--state", "CH", *AT, "--json")
    file = lay("items.jsonl", *ITEMS)
    first = call(*arguments, "--events", file, "--record", "items.avro")
    assert "items.avro: 6 indicators recorded, with their content; keep it as safe as the topic" in first.err
    second = call(*arguments, "--events", "items.avro").document
    assert {**first.document, "sources": None} == {**second, "sources": None}
    both = call(*arguments, "--events", "items.avro", file).document
    assert (both["read"], both["altered"]) == (12, 2 * second["altered"])
    again = call(*arguments, "--events", file, "--record", "items.avro")
    assert (again.code, again.error) == (2, "items.avro: is there already; name a new file for the recording")


def test_a_recording_needs_no_candidate(call: Call) -> None:
    file = lay("items.jsonl", *ITEMS)
    done = call("law", "rehearse", "--events", file, "--state", "CH", "--record", "items.avro")
    assert (done.code, done.out) == (0, "")
    assert Path("items.avro").exists()


def test_a_range_of_the_topic(call: Call, bus: EmbeddedBroker) -> None:
    publisher = Publisher(bus.bootstrap, "CH", "fedpol")
    for one in ITEMS:
        source = {**one["source"], "state": "CH", "agency": "fedpol"}
        publisher.publish(Indicator.read({**one, "source": source}))
    publisher.flush()
    candidate = amend(NARROWED)
    common = ("law", "rehearse", "--candidate", candidate, *AT, "--json")
    Path("directory.yaml").write_text(DIRECTORY)
    done = call(*common, "--from-topic", "--directory", "directory.yaml", "--record", "range.avro")
    assert done.code == 0, done
    assert done.document["sources"] == ["national.ch.indicators"]
    from_file = call(*common, "--events", "range.avro", "--directory", "directory.yaml").document
    assert from_file["read"] == len(ITEMS)
    assert done.document["outcomes"] == from_file["outcomes"]
    assert done.document["altered"] == from_file["altered"] > 0


DIRECTORY = """\
entries:
- {state: NL, announced_at: '2026-01-01T00:00:00Z', authority: {name: x, kind: POLICE}}
- {state: DE, announced_at: '2026-01-01T00:00:00Z', authority: {name: x, kind: POLICE}}
"""


def test_a_template_is_rehearsed_for_a_state_that_adopts_it(call: Call) -> None:
    candidate = Path("eu.yaml")
    candidate.write_text(read_text(pack_place("EU")).replace("version: ", "version: 9", 1))
    source = {"authority": "POLICE", "state": "AT"}
    file = lay("items.jsonl", *({**one, "source": source} for one in ITEMS))
    done = call(
        "law", "rehearse", "--candidate", candidate, "--events", file, "--state", "AT", "--pack", "EU", *AT, "--json"
    )
    assert done.code == 0, done
    assert (done.document["state"], done.document["candidate"]["code"]) == ("AT", "EU")
    assert "--state is missing" in call("law", "rehearse", "--candidate", candidate, "--events", file).error


def test_a_baseline_of_ones_own(call: Call) -> None:
    first, second = amend(NARROWED, name="one.yaml"), amend(NARROWED, added=ADDED, name="two.yaml")
    file = lay("items.jsonl", *ITEMS)
    done = call("law", "rehearse", "--baseline", first, "--candidate", second, "--events", file, *AT, "--json").document
    assert done["packs"]["rules"] == [{"id": "ch.zz-1", "what": ["new"]}]


def test_the_candidate_stands_on_the_treaty_table_that_applies(call: Call) -> None:
    folder = Path("packs")
    folder.mkdir()
    (folder / "ch.yaml").write_text(read_text(pack_place("CH")))
    place = pack_place("CH")
    assert isinstance(place, Path)
    table = read_text(place.parent / "treaties.yaml")
    (folder / "treaties.yaml").write_text(table + "\n# another hash\n")
    same = Path("same.yaml")
    same.write_text(read_text(pack_place("CH")))
    done = call("law", "rehearse", "--candidate", same, "--events", lay("i.jsonl", *ITEMS), "--packs", folder, *AT)
    assert "their hashes are the same" in done.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--events", "items.jsonl"), "nothing to do: name the amended pack with --candidate"),
        (("--candidate", "amended.yaml"), "name what was recorded: files with --events, or --from-topic"),
        (("--candidate", "amended.yaml", "--events", "items.jsonl", "--from-topic"), "and not both"),
        (("--candidate", "amended.yaml", "--events", "items.jsonl", "--since", AT[1]), "are for --from-topic"),
        (("--candidate", "amended.yaml", "--from-topic"), "no broker is named"),
        (("--candidate", "amended.yaml", "--from-topic", "--until", "noon"), "--until must be a time with a zone"),
        (("--candidate", "nowhere.yaml", "--events", "items.jsonl"), "nowhere.yaml: cannot be read"),
        (("--candidate", "items.jsonl", "--events", "items.jsonl"), "items.jsonl"),
        (("--candidate", "amended.yaml", "--events", "nowhere.avro"), "nowhere.avro: cannot be read"),
        (("--candidate", "amended.yaml", "--events", "items.jsonl", "--state", "DE"), "CH"),
        (("--candidate", "amended.yaml", "--events", "broken.jsonl"), "nothing in it is an indicator of CH"),
        (("--record", "r.avro", "--events", "items.jsonl"), "--state is missing"),
    ],
)
def test_what_cannot_be_rehearsed_says_why(call: Call, arguments: tuple[str, ...], message: str) -> None:
    lay("items.jsonl", *ITEMS)
    Path("broken.jsonl").write_text("{\n{\n")
    amend(NARROWED)
    done = call("law", "rehearse", *arguments)
    assert done.code == 2
    assert message in done.error
    assert done.out == ""
    assert not Path("r.avro").exists()


def test_some_lines_may_be_unreadable(call: Call) -> None:
    file = lay("items.jsonl", *ITEMS)
    file.write_text("{\n" * 30 + file.read_text() + json.dumps({**ITEM, "source": {"state": "DE"}}) + "\n")
    done = call("law", "rehearse", "--candidate", amend(NARROWED), "--events", file, *AT)
    assert done.code == 0
    assert "6 indicators of items.jsonl; 31 not read" in done.out
    assert done.err.count("not read: items.jsonl: line") == 20
    assert "not read: and 11 more" in done.err
