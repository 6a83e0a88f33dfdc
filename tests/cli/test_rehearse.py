"""`sharing law rehearse`: shows what an amendment would change, without any content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sharing.clients.publisher import Publisher
from sharing.model.indicator import Indicator
from sharing.packs.library import find_law, get_pack_path, read_law_file
from tests.bench.rehearsal import NARROWED_RULE
from tests.cli.conftest import Call
from tests.cli.test_explain import AT, ITEM, write_items
from tests.kafka.keyed_states import PASSPHRASE, KeyedState, make_signed_entry

if TYPE_CHECKING:
    from sharing.testing.broker.embedded import EmbeddedBroker

CANARY = "canary-7f3a"
ADDED = """\
  - id: ch.zz-1
    citation: An invented amendment, art. 1
    nature: policy
    paraphrase: Between States of Schengen, what is passed on is used for police purposes only.
    source: K
    verified: false
    valid: {from: 2026-01-01}
    when: {source.authority: POLICE, recipient.state: DE}
    effect: CONDITION
    needs: {condition: {kind: PURPOSE, text: Used for police purposes only.}}
"""


def item(number: int, **changes: Any) -> dict[str, Any]:
    """Return an item whose texts contain a canary, so that leaked content is detected."""
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
    item(2, collection="VOLUNTARY", findings={"essential_interest_harm": False}),
    item(3, live_case_harm=True),
    item(4, purpose=None),
    item(5, nexus=[{"state": "DE", "reason": f"{CANARY} reason"}], value=f"{CANARY}.example.org"),
    item(6, collection="VOLUNTARY", value=f"{CANARY}.example.de", findings={"essential_interest_harm": False}),
]


def amend(*replaced: tuple[str, str], added: str = "", name: str = "amended.yaml") -> Path:
    """Write the pack of Switzerland with some text replaced and some rules added."""
    text = read_law_file(get_pack_path("CH")).replace("version: 2026.1", "version: 2026.2", 1)
    for old, new in replaced:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = Path(name)
    path.write_text(text.replace("\naccepted:", f"\n{added}\naccepted:", 1))
    return path


def normalise_report(text: str) -> str:
    """Return a report without hashes, which change with every edit of a pack, and without trailing spaces."""
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join("             sha256 (hash)" if "sha256" in line else line for line in lines) + "\n"


def test_the_printed_report(call: Call) -> None:
    candidate = amend(NARROWED_RULE, added=ADDED)
    result = call("law", "rehearse", "--candidate", candidate, "--events", write_items("items.jsonl", *ITEMS), *AT)
    assert result.code == 0
    golden = Path(__file__).with_name("golden") / "rehearsal.txt"
    assert normalise_report(result.out) == golden.read_text()
    assert max(map(len, result.out.splitlines())) <= 96
    assert find_law("CH").pack.sha256 in result.out


def test_content_is_never_printed(call: Call) -> None:
    write_items("items.jsonl", *ITEMS, {**item(7), "frm": CANARY}, item(8, type="ipv4-addr"))
    candidate = amend(NARROWED_RULE, added=ADDED)
    for options in ((), ("--json",), ("--record", "recording.avro", "--examples", "100")):
        result = call("law", "rehearse", "--candidate", candidate, "--events", "items.jsonl", *AT, *options)
        assert result.code == 0
        assert CANARY not in result.out + result.err
        assert ITEMS[0]["id"] in result.out
        assert "items.jsonl: line 7: frm: unknown field" in result.err
        assert "items.jsonl: line 8: value" in result.err


def test_the_json_report_agrees_with_explain(call: Call) -> None:
    candidate = amend(NARROWED_RULE, added=ADDED)
    file = write_items("items.jsonl", *ITEMS)
    report = call("law", "rehearse", "--candidate", candidate, "--events", file, *AT, "--json").json_document
    assert (report["state"], report["at"], report["read"], report["not_read"]) == (
        "CH",
        "2026-03-01T12:00:00.000Z",
        6,
        0,
    )
    assert (report["now"]["version"], report["candidate"]["version"]) == ("2026.1", "2026.2")
    assert report["now"]["sha256"] == find_law("CH").pack.sha256 != report["candidate"]["sha256"]
    assert report["packs"]["rules"] == [
        {"id": "ch.siag-12", "changes": ["when"]},
        {"id": "ch.zz-1", "changes": ["new"]},
    ]
    for state, shifts in report["states"].items():
        for shift in shifts:
            assert len(shift["examples"]) <= min(3, shift["indicators"]), state
    decided = {
        name: {recipient["state"]: recipient["outcome"] for recipient in line["recipients"]}
        for name in ("now", "then")
        for line in explain_under(call, name, candidate, file)[:1]
    }
    first = ITEMS[0]["id"]
    for state, outcome in decided["now"].items():
        (shift,) = (shift for shift in report["states"][state] if first in shift["examples"])
        assert (shift["now"], shift["then"]) == (outcome, decided["then"][state])


def explain_under(call: Call, law: str, candidate: Path, file: Path) -> list[Any]:
    """Explain a file under the current law («now») or the candidate («then»)."""
    folder = Path(law)
    folder.mkdir(exist_ok=True)
    text = read_law_file(get_pack_path("CH")) if law == "now" else candidate.read_text()
    (folder / "ch.yaml").write_text(text)
    return call("law", "explain", file, "--state", "CH", "--packs", folder, *AT, "--json").json_lines


def test_an_identical_pack_changes_nothing(call: Call) -> None:
    same = Path("same.yaml")
    same.write_text(read_law_file(get_pack_path("CH")))
    file = write_items("items.jsonl", *ITEMS)
    result = call("law", "rehearse", "--candidate", same, "--events", file, *AT)
    assert result.code == 0
    assert "Nothing would change: the results of all 6 indicators are the same for every State." in result.out
    assert "their hashes are the same" in result.out
    report = call("law", "rehearse", "--candidate", same, "--events", file, *AT, "--json").json_document
    assert (report["altered"], report["terms"]) == (0, [])
    assert not any(shift["altered"] for shifts in report["states"].values() for shift in shifts)


def test_a_recording_gives_the_same_report(call: Call) -> None:
    candidate = amend(NARROWED_RULE)
    arguments = ("law", "rehearse", "--candidate", candidate, "--state", "CH", *AT, "--json")
    file = write_items("items.jsonl", *ITEMS)
    first = call(*arguments, "--events", file, "--record", "items.avro")
    assert "items.avro: 6 indicators recorded with their content; protect the file like the topic" in first.err
    second = call(*arguments, "--events", "items.avro").json_document
    assert {**first.json_document, "sources": None} == {**second, "sources": None}
    both = call(*arguments, "--events", "items.avro", file).json_document
    assert (both["read"], both["altered"]) == (12, 2 * second["altered"])
    again = call(*arguments, "--events", file, "--record", "items.avro")
    assert (again.code, again.error) == (2, "items.avro: already exists; name a new file for the recording")


def test_recording_works_without_a_candidate(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_items("items.jsonl", *ITEMS)
    result = call("law", "rehearse", "--events", file, "--state", "CH", "--record", "items.avro")
    assert (result.code, result.out) == (0, "")
    assert Path("items.avro").exists()
    monkeypatch.setenv("SHARING_STATE", "CH")
    assert call("law", "rehearse", "--events", file, "--record", "again.avro").code == 0
    assert Path("again.avro").exists()


def test_the_topic_gives_the_same_report_as_a_recording(call: Call, bus: EmbeddedBroker) -> None:
    publisher = Publisher(bus.bootstrap, "CH", "fedpol")
    for data in ITEMS:
        source = {**data["source"], "state": "CH", "agency": "fedpol"}
        publisher.publish(Indicator.parse({**data, "source": source}))
    publisher.flush()
    candidate = amend(NARROWED_RULE)
    common = ("law", "rehearse", "--candidate", candidate, *AT, "--json")
    Path("directory.yaml").write_text(DIRECTORY)
    result = call(*common, "--from-topic", "--directory", "directory.yaml", "--record", "range.avro")
    assert result.code == 0, result
    assert result.json_document["sources"] == ["national.ch.indicators"]
    from_file = call(*common, "--events", "range.avro", "--directory", "directory.yaml").json_document
    assert from_file["read"] == len(ITEMS)
    assert result.json_document["outcomes"] == from_file["outcomes"]
    assert result.json_document["altered"] == from_file["altered"] > 0


def test_a_sealed_topic_is_rehearsed_with_the_keys_of_its_gate(
    call: Call, bus: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyed = KeyedState("CH", Path("keys").absolute())
    keyed.open_writer(bus).announce(make_signed_entry("CH"))
    with Publisher(bus.bootstrap, "CH", "fedpol", pins={"CH": keyed.pin}) as publisher:
        for data in ITEMS:
            source = {**data["source"], "state": "CH", "agency": "fedpol"}
            publisher.publish(Indicator.parse({**data, "source": source}))
    Path("directory.yaml").write_text(DIRECTORY)
    common = ("law", "rehearse", "--candidate", amend(NARROWED_RULE), "--from-topic", "--directory", "directory.yaml")
    refused = call(*common, *AT, "--json")
    assert refused.code == 2
    assert "contains no readable indicator of CH" in refused.error
    assert refused.err.count("is sealed to the gate of CH: to open it, set SHARING_KEY_FOLDER") == len(ITEMS)
    monkeypatch.setenv("SHARING_KEY_FOLDER", str(keyed.folder.path))
    assert "nothing opens its keys: set SHARING_KEY_PASSPHRASE_FILE" in call(*common, *AT, "--json").error
    passphrase = Path("pass")
    passphrase.write_text(PASSPHRASE.get_secret_value())
    passphrase.chmod(0o600)
    monkeypatch.setenv("SHARING_KEY_PASSPHRASE_FILE", str(passphrase))
    result = call(*common, *AT, "--json")
    assert result.code == 0, result
    assert (result.json_document["read"], result.json_document["not_read"]) == (len(ITEMS), 0)
    of_another = KeyedState("DE", Path("other").absolute())
    monkeypatch.setenv("SHARING_KEY_FOLDER", str(of_another.folder.path))
    assert "the key folder is that of DE, and cannot open records of CH" in call(*common, *AT).error


DIRECTORY = """\
entries:
- {state: NL, announced_at: '2026-01-01T00:00:00Z', authorities: [{name: x, kind: POLICE}]}
- {state: DE, announced_at: '2026-01-01T00:00:00Z', authorities: [{name: x, kind: POLICE}]}
"""


def test_a_template_is_rehearsed_for_a_state_that_adopts_it(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    candidate = Path("eu.yaml")
    candidate.write_text(read_law_file(get_pack_path("EU")).replace("version: ", "version: 9", 1))
    source = {"authority": "POLICE", "state": "AT"}
    file = write_items("items.jsonl", *({**data, "source": source} for data in ITEMS))
    result = call(
        "law", "rehearse", "--candidate", candidate, "--events", file, "--state", "AT", "--pack", "EU", *AT, "--json"
    )
    assert result.code == 0, result
    assert (result.json_document["state"], result.json_document["candidate"]["code"]) == ("AT", "EU")
    assert "--state is missing" in call("law", "rehearse", "--candidate", candidate, "--events", file).error
    monkeypatch.setenv("SHARING_STATE", "AT")
    configured = call("law", "rehearse", "--candidate", candidate, "--events", file, "--pack", "EU", *AT, "--json")
    assert configured == result


def test_a_custom_baseline_is_used(call: Call) -> None:
    first, second = amend(NARROWED_RULE, name="first.yaml"), amend(NARROWED_RULE, added=ADDED, name="second.yaml")
    file = write_items("items.jsonl", *ITEMS)
    result = call(
        "law", "rehearse", "--baseline", first, "--candidate", second, "--events", file, *AT, "--json"
    ).json_document
    assert result["packs"]["rules"] == [{"id": "ch.zz-1", "changes": ["new"]}]


def test_the_candidate_uses_the_current_treaty_table(call: Call) -> None:
    folder = Path("packs")
    folder.mkdir()
    (folder / "ch.yaml").write_text(read_law_file(get_pack_path("CH")))
    place = get_pack_path("CH")
    assert isinstance(place, Path)
    table = read_law_file(place.parent / "treaties.yaml")
    (folder / "treaties.yaml").write_text(table + "\n# another hash\n")
    same = Path("same.yaml")
    same.write_text(read_law_file(get_pack_path("CH")))
    result = call(
        "law", "rehearse", "--candidate", same, "--events", write_items("i.jsonl", *ITEMS), "--packs", folder, *AT
    )
    assert "their hashes are the same" in result.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--events", "items.jsonl"), "nothing to do: give the amended pack with --candidate"),
        (
            ("--candidate", "amended.yaml"),
            "give the recorded indicators: either files with --events, or --from-topic",
        ),
        (("--candidate", "amended.yaml", "--events", "items.jsonl", "--from-topic"), "either files with --events"),
        (("--candidate", "amended.yaml", "--events", "items.jsonl", "--since", AT[1]), "require --from-topic"),
        (("--candidate", "amended.yaml", "--from-topic"), "no broker is configured"),
        (
            ("--candidate", "amended.yaml", "--from-topic", "--until", "noon"),
            "--until noon: must be a time with a zone",
        ),
        (("--candidate", "nowhere.yaml", "--events", "items.jsonl"), "nowhere.yaml: cannot be read"),
        (("--candidate", "items.jsonl", "--events", "items.jsonl"), "items.jsonl"),
        (("--candidate", "amended.yaml", "--events", "nowhere.avro"), "nowhere.avro: cannot be read"),
        (("--candidate", "amended.yaml", "--events", "items.jsonl", "--state", "DE"), "CH"),
        (("--candidate", "amended.yaml", "--events", "broken.jsonl"), "contains no readable indicator of CH"),
        (("--record", "r.avro", "--events", "items.jsonl"), "--state is missing"),
    ],
)
def test_invalid_options_and_files_are_reported(call: Call, arguments: tuple[str, ...], message: str) -> None:
    write_items("items.jsonl", *ITEMS)
    Path("broken.jsonl").write_text("{\n{\n")
    amend(NARROWED_RULE)
    result = call("law", "rehearse", *arguments)
    assert result.code == 2
    assert message in result.error
    assert result.out == ""
    assert not Path("r.avro").exists()


def test_unreadable_lines_are_reported_and_skipped(call: Call) -> None:
    file = write_items("items.jsonl", *ITEMS)
    file.write_text("{\n" * 30 + file.read_text() + json.dumps({**ITEM, "source": {"state": "DE"}}) + "\n")
    result = call("law", "rehearse", "--candidate", amend(NARROWED_RULE), "--events", file, *AT)
    assert result.code == 0
    assert "6 indicators from items.jsonl; 31 not read" in result.out
    assert result.err.count("not read: items.jsonl: line") == 20
    assert "not read: and 11 more" in result.err
    report = json.loads(
        call("law", "rehearse", "--candidate", amend(NARROWED_RULE), "--events", file, *AT, "--json").out
    )
    assert (report["read"], report["not_read"], len(report["rejected"])) == (6, 31, 20)
    assert report["rejected"][0].keys() == {"source", "place", "reason"}
    assert report["rejected"][0]["place"] == "line 1"


# --- States without an authority ---

ABROAD = item(9, nexus=[{"state": "BR", "reason": f"{CANARY} reason"}], value=f"{CANARY}.example.org")


def test_a_state_that_has_announced_nothing_is_tested_and_named_in_the_report(call: Call) -> None:
    arguments = (
        "law",
        "rehearse",
        "--candidate",
        amend(NARROWED_RULE),
        "--events",
        write_items("i.jsonl", ABROAD),
        *AT,
    )
    report = call(*arguments, "--json").json_document
    assert (report["supplied_authorities"], report["untested"]) == (["BR"], {})
    result = call(*arguments)
    assert "Receiving authorities" in result.out
    assert "kind receives: BR." in " ".join(result.out.split())
    assert "BR" not in result.err


def test_without_supplied_authorities_it_is_reported_as_untested(call: Call) -> None:
    file = write_items("i.jsonl", ABROAD, *ITEMS)
    arguments = ("law", "rehearse", "--candidate", amend(NARROWED_RULE), "--events", file, *AT, "--announced-only")
    report = call(*arguments, "--json").json_document
    assert report["supplied_authorities"] == []
    assert report["untested"] == {"BR": {"indicators": 1, "examples": [ABROAD["id"]]}}
    (shift,) = report["states"]["BR"]
    assert (shift["now"], shift["then"]) == ("WITHHOLD", "WITHHOLD")
    printed = " ".join(call(*arguments).out.split())
    assert "Not tested, because no authority is competent or known" in printed
    assert "BR Brazil 1" in printed


def test_an_authority_that_is_not_competent_leaves_a_state_untested(call: Call) -> None:
    """A State that has announced authorities gets none in addition: it has said what they are competent for."""
    Path("directory.yaml").write_text(
        DIRECTORY + "- {state: BR, announced_at: '2026-01-01T00:00:00Z', authorities: "
        "[{name: x, kind: POLICE, competence: {offences: [COPYRIGHT]}}]}\n"
    )
    arguments = (
        "law",
        "rehearse",
        "--candidate",
        amend(NARROWED_RULE),
        "--events",
        write_items("i.jsonl", ABROAD),
        *AT,
    )
    report = call(*arguments, "--directory", "directory.yaml", "--json").json_document
    assert report["supplied_authorities"] == []
    assert list(report["untested"]) == ["BR"]
