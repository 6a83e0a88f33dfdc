"""The supervisor's pages: who may see them, what they count, and that no page waits for a long computation."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import pytest

from sharing.conversation.vocabulary import AskKind
from sharing.desk.supervision import list_routes
from sharing.errors import InfrastructureError
from sharing.model.times import DAY_MS, MINUTE_MS
from sharing.model.vocabulary import Urgency
from tests.audit.audit_fixtures import make_world, stamp_checkpoints
from tests.conversation.people import held
from tests.desk.asgi import NOW, make_officer, make_services
from tests.desk.supervision.supervision_fixtures import ITEM, SupervisedDesk, make_state, open_supervision
from tests.support.waiting import wait_until

PAGES = ("", "/decisions", "/audit", "/refusals", "/uses")
FILES = ("/decisions.csv", "/years.csv", "/refusals.csv")
PERSONS = ("anna", "bert", "sue", "Anna", "Sue", ITEM)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[SupervisedDesk]:
    with open_supervision(monkeypatch) as found:
        yield found


def test_every_route_asks_for_a_supervisor() -> None:
    """The table of authorisation: a new route must be in it."""
    paths = {(route.path, *sorted(route.methods - {"HEAD"})) for route in list_routes(make_services())}  # type: ignore[attr-defined]
    assert paths == {
        *((f"/supervision{page}", "GET") for page in (*PAGES, *FILES)),
        ("/supervision/{name}/refresh", "POST"),
    }


@pytest.mark.parametrize("officer", ["anna", None])
def test_nobody_else_sees_anything(monkeypatch: pytest.MonkeyPatch, officer: str | None) -> None:
    with open_supervision(monkeypatch, officer) as opened:
        for path in (*PAGES, *FILES):
            answer = opened.desk.get(f"/supervision{path}")
            if officer is None:
                assert answer.status_code == 303
                continue
            assert answer.status_code == 403
            assert "These pages are for supervisors: officers with the role supervisor (SUPERVISOR)." in answer.text
            assert "IRG" not in answer.text
        answer = opened.desk.post("/supervision/audit/refresh")
        assert answer.status_code in ({403} if officer else {401, 403})
        assert opened.computing.counts == {}


def test_a_supervisor_whose_role_was_taken_sees_nothing_more(opened: SupervisedDesk) -> None:
    assert opened.desk.get("/supervision").status_code == 200
    register = opened.desk.services.register
    register.add(make_officer("sue", roles=()))  # type: ignore[attr-defined]
    assert opened.desk.get("/supervision").status_code == 403


def test_what_waits_is_counted_by_kind(opened: SupervisedDesk) -> None:
    ask = opened.world.publish(1, held("CH")).find_ask(AskKind.APPROVE)
    opened.world.publish(2, held("FR"), urgency=Urgency.EMERGENCY)
    page = opened.desk.get("/supervision").text
    (row,) = re.findall(r'<tr><th scope="row">approve.*?</tr>', page, re.DOTALL)
    # open, emergencies, nobody deals with it, within a day, passed on, asked again, overdue
    assert re.findall(r'<td class="number">(\d+)</td>', row) == ["2", "1", "2", "1", "0", "0", "0"]
    assert "Nothing is late." in page
    opened.clock.now = ask.expires_at
    later = make_officer("sue", roles=("SUPERVISOR",), valid_until=NOW + 55 * DAY_MS)
    opened.desk.services.register.add(later)  # type: ignore[attr-defined]
    opened.desk.sign_in("sue")
    page = opened.desk.get("/supervision").text
    assert f"/asks/{ask.id}" in page
    assert "Overdue" in page
    assert "Germany (DE): JUDGE" in page, "who is asked is named in words; a role of the test has none"
    assert page.index("Late questions") < page.index(f"/asks/{ask.id}")


def test_decisions_are_shown_by_outcome_law_state_and_month(opened: SupervisedDesk) -> None:
    page = opened.read("/supervision/decisions")
    assert "IRG § 61a(3)" in page
    assert "no rule permits it" in page
    assert "Budapest Convention on Cybercrime (BUDAPEST)" in page
    assert "<td>France (FR)</td>" in page
    assert page.index("2026-05") < page.index("2026-04") or "All months" in page
    chosen = opened.desk.get("/supervision/decisions?month=2026-05&state=FR&kind=OFFERED").text
    assert "IRG § 61a(3)" not in chosen
    assert '<td class="number">7</td>' in chosen
    assert "month=2026-05&amp;state=FR&amp;kind=OFFERED" in chosen


@pytest.mark.parametrize("query", ["month=x", "month=2026-05-01", "state=XX", "state=<b>", "kind=GIVEN", "kind=sent"])
def test_a_wrong_choice_is_refused(opened: SupervisedDesk, query: str) -> None:
    opened.read("/supervision/decisions")
    assert opened.desk.get(f"/supervision/decisions?{query}").status_code == 400
    assert opened.desk.get(f"/supervision/decisions.csv?{query}").status_code == 400


def read_csv(opened: SupervisedDesk, path: str) -> list[dict[str, str]]:
    answer = opened.desk.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith('attachment; filename="de-')
    assert not any(person in answer.text for person in PERSONS)
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_decisions_as_csv_have_no_item_no_person_and_no_formula(opened: SupervisedDesk) -> None:
    opened.read("/supervision/decisions")
    rows = read_csv(opened, "/supervision/decisions.csv")
    assert len(rows) == 4
    assert set(rows[0]) == {"month", "state", "what", "basis", "law", "count"}
    assert [row["law"] for row in rows if row["state"] == "FR"] == ["'=HYPERLINK(1)", ""]
    assert [row["count"] for row in read_csv(opened, "/supervision/decisions.csv?state=CH")] == ["2", "3"]
    years = read_csv(opened, "/supervision/years.csv")
    assert {row["basis"]: row["sent"] for row in years} == {"": "0", "BUDAPEST": "3"}


def test_refusals_are_counted_with_their_grounds(opened: SupervisedDesk) -> None:
    page = opened.read("/supervision/refusals")
    assert "human rights, own law: de.irg-61a-3" in page
    assert "cannot comply with the conditions" in page
    barred = "Four eyes: the officer has published the item, so another officer must answer (BARRED)"
    assert page.count(barred) == 2, "among the counts, and among the last refusals"
    assert "<td>BARRED</td>" not in page
    answered = r"cannot comply with the conditions</td><td>\s*France \(FR\)\s*</td>"
    assert re.search(answered, page), "who has answered is a State"
    assert f"/items/DE/{ITEM}" in page
    rows = read_csv(opened, "/supervision/refusals.csv")
    assert [(row["asked"], row["answer"], row["grounds"], row["count"]) for row in rows] == [
        ("DE", "REFUSED", "HUMAN_RIGHTS, OWN_LAW: de.irg-61a-3", "2"),
        ("FR", "CANNOT_COMPLY", "not stated", "1"),
    ]


def test_who_opened_what_is_shown_and_filtered(opened: SupervisedDesk) -> None:
    page = opened.read("/supervision/uses")
    assert "3 uses." in page
    assert page.count("<td>the duty desk</td>") == 3
    assert page.count(f">{ITEM}</a> Switzerland (CH)</td><td>item</td>") == 3
    assert "1 use." in opened.desk.get("/supervision/uses?reader=bert").text
    assert "3 uses." in opened.desk.get(f"/supervision/uses?item={ITEM}").text
    assert "No such use is recorded." in opened.desk.get("/supervision/uses?reader=carl").text
    for wrong in ("reader=%3Cb%3E", "item=1", "reader=a%20b"):
        answer = opened.desk.get(f"/supervision/uses?{wrong}")
        assert answer.status_code == 400
        assert "There is a problem" in answer.text
        assert ITEM not in answer.text


def test_the_audit_log_says_up_to_when_it_is_witnessed(opened: SupervisedDesk) -> None:
    page = opened.read("/supervision/audit")
    assert "Complete, in order and unchanged." in page
    assert re.search(r"block 12, <time", page)
    assert re.search(r"12 blocks, signed <time[^>]*>[^<]*</time>,\s+cosigned by 0 States", page)  # the newest one
    assert "CH/decisions/0" in page
    assert "Forked" not in page


def test_the_audit_log_says_up_to_when_it_is_time_stamped(opened: SupervisedDesk) -> None:
    assert "No checkpoint has a time stamp of a service." in opened.read("/supervision/audit")


def test_a_time_stamp_has_its_block_and_its_time(opened: SupervisedDesk) -> None:
    world = make_world()
    stamp_checkpoints(world)
    opened.computing.values["log_state"] = make_state(world, verifies_stamps=True)
    page = opened.read("/supervision/audit")
    assert "Time-stamped up to" in page
    assert len(re.findall(r"block 12, <time", page)) == 2
    assert "Only the newest of each log is verified here" in page


def test_a_log_without_a_time_stamp_says_never(opened: SupervisedDesk) -> None:
    opened.computing.values["log_state"] = make_state(verifies_stamps=True)
    assert re.search(r"<td>never</td>", opened.read("/supervision/audit"))


def test_time_stamps_that_are_not_verified_are_named(opened: SupervisedDesk) -> None:
    world = make_world()
    stamp_checkpoints(world, 0, 1)
    world.stamp_roots = ()
    opened.computing.values["log_state"] = make_state(world)
    page = opened.read("/supervision/audit")
    assert "2 checkpoints have time stamps, which are not verified here" in page
    assert "Time-stamped up to" not in page


def test_findings_and_forks_are_said_first(opened: SupervisedDesk) -> None:
    broken = make_world()
    del broken.blocks[3]
    opened.computing.values["log_state"] = make_state(broken)
    page = opened.read("/supervision/audit")
    assert "Something is wrong with the audit log." in page
    assert "<strong>Blocks are missing</strong> (GAP), from block 3 on: " in page
    assert '<span class="muted" lang="en">blocks 3 to 3 are missing</span>' in page
    assert page.index("What is wrong") < page.index("Our logs")


def test_without_roots_nothing_counts_as_witnessed(opened: SupervisedDesk) -> None:
    opened.computing.values["log_state"] = make_state(has_roots=False)
    assert "No roots are pinned here" in opened.read("/supervision/audit")


def test_no_page_waits_and_nothing_is_computed_twice_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_supervision(monkeypatch, is_released=False) as opened:
        for path in ("/decisions", "/refusals", "/audit", "/uses"):
            for _ in range(2):
                assert "computed for the first time" in opened.desk.get(f"/supervision{path}").text
        for path in FILES:
            assert opened.desk.get(f"/supervision{path}").status_code == 503
        # They are computed one after another: only the first has begun.
        wait_until(lambda: bool(opened.computing.counts), "a computation has begun")
        assert opened.computing.counts == {"figures": 1}
        opened.computing.released.set()
        for path in ("/decisions", "/refusals", "/audit", "/uses"):
            opened.read(f"/supervision{path}")
        assert opened.computing.counts == {"figures": 1, "refusals": 1, "log_state": 1, "uses": 1}


def test_a_result_has_its_age_and_an_old_one_is_computed_again(opened: SupervisedDesk) -> None:
    page = opened.read("/supervision/audit")
    assert "As of <time" in page
    opened.clock.pass_ms(14 * MINUTE_MS)
    opened.desk.get("/supervision/audit")
    assert opened.computing.counts["log_state"] == 1
    opened.clock.pass_ms(MINUTE_MS)
    opened.desk.get("/supervision/audit")
    wait_until(lambda: opened.computing.counts["log_state"] == 2, "it is computed again")


def test_a_supervisor_can_have_it_computed_now(opened: SupervisedDesk) -> None:
    opened.read("/supervision/audit")
    answer = opened.desk.post("/supervision/audit/refresh")
    assert answer.headers["location"] == "/supervision/audit"
    wait_until(lambda: opened.computing.counts["log_state"] == 2, "it is computed again")
    assert opened.desk.post("/supervision/nothing/refresh").status_code == 404
    assert opened.desk.post("/supervision/audit/refresh", {"csrf": "forged"}).status_code == 403


def test_a_failure_keeps_the_last_result_and_says_why(opened: SupervisedDesk) -> None:
    opened.read("/supervision/decisions")
    opened.computing.failures["figures"] = InfrastructureError("the broker does not answer <b>")
    opened.desk.post("/supervision/decisions/refresh")

    def has_failed() -> bool:
        return "The last try failed" in opened.desk.get("/supervision/decisions").text

    wait_until(has_failed, "the failure is shown")
    page = opened.desk.get("/supervision/decisions").text
    assert "the broker does not answer &lt;b&gt;" in page
    assert "IRG § 61a(3)" in page
    assert "As of" in page
    assert opened.desk.get("/supervision/decisions.csv").status_code == 200


def test_a_defect_shows_no_traceback_and_does_not_stop_the_page(opened: SupervisedDesk) -> None:
    opened.computing.failures["refusals"] = ValueError(f"a value {ITEM}")  # type: ignore[assignment]

    def has_failed() -> bool:
        return "The last try failed" in opened.desk.get("/supervision/refusals").text

    wait_until(has_failed, "the failure is shown")
    page = opened.desk.get("/supervision/refusals").text
    assert ITEM not in page
    assert "the log says where" in page
