"""The lines of `docs/deploy.md` that run one command in a container, without the container.

Each runs with the entry point, the command, the settings and the secrets that the Compose file gives to its service, on
the trial's broker with its access control. What the container adds (user, read-only file system, network) is not
tested, and there is no Schema Registry: records are in single-object encoding.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from sharing.ids import make_item_id
from sharing.testing.samples import sample_directory
from tests.cli.test_publish import ITEM
from tests.deploy.deploy_files import ROOT, load_compose
from tests.deploy.test_trial import (  # noqa: F401 the fixtures of the trial
    await_health,
    broker,
    clients_ca,
    make_environment,
    make_service_command,
    prepared,
    read_service_settings,
    secrets,
    start_service,
)
from tests.desk.axe import read_axe
from tests.desk.browser import DeskBrowser
from tests.desk.chromium import Chromium, find_chromium, hash_public_key
from tests.desk.journeys.people import DIALOG, OUTCOME, answer_form
from tests.support.waiting import wait_until

PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
LINE = re.compile(
    r"^docker compose -f deploy/compose/compose\.yaml run --rm (?:-T )?(?:-v \"(?P<mount>[^\"]+):ro\" )?"
    r"(?P<service>\S+) (?P<command>[^<\n]*?)(?: < (?P<input>\S+))?$",
    re.MULTILINE,
)
OWN_ITEM = {
    **ITEM, "id": "018f3c1e-7b1a-7c3d-8e2f-0123456789ab", "nexus": [{"state": "DE", "reason": "hosted there"}]
}  # fmt: skip
LINES = [match.groupdict() for match in LINE.finditer(PAGE)]
VALUE = "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"
OFFICERS_LINES = [line for line in LINES if line["service"] == "registrar-de"]


class Trial:
    """The services of the Compose file, on a broker without containers."""

    def __init__(self, bootstrap: str, secrets_folder: Path, folder: Path) -> None:
        self.bootstrap, self.secrets, self.folder = bootstrap, secrets_folder, folder

    def run(self, service: str, command: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command in place of the one of a service."""
        return subprocess.run(
            env=make_environment(self.read_settings(service)),
            args=make_service_command(service, self.folder, shlex.split(command)),
            input=text, capture_output=True, text=True, timeout=240, check=False, cwd=self.folder,
        )  # fmt: skip

    def run_line(self, line: Mapping[str, str | None], replaced: Mapping[str, str] | None = None) -> str:
        """Run a line of the page, which must succeed, and return what it prints.

        Args:
            line: The line.
            replaced: What stands in it for something else here, such as a place in the container.
        """
        text = None if line["input"] is None else (ROOT / line["input"]).read_text(encoding="utf-8")
        command = str(line["command"])
        for there, here in (replaced or {}).items():
            assert there in command
            command = command.replace(there, here)
        run = self.run(str(line["service"]), command, text)
        assert run.returncode == 0, f"{line}\n{run.stdout}\n{run.stderr}"
        return run.stdout + run.stderr

    def start(self, service: str, settings: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a service with its own command, with settings that `read_settings` has returned."""
        return start_service(service, settings or self.read_settings(service), self.folder)

    def read_settings(self, service: str) -> dict[str, str]:
        """Return the settings of a service here; each call chooses other ports."""
        return read_service_settings(service, self.bootstrap, self.secrets, self.folder)


def is_at_work(gate: subprocess.Popen[bytes], log: Path) -> bool:
    """Return whether a gate has partitions."""
    assert gate.poll() is None, log.read_text()
    return '"partitions assigned' in log.read_text()


@pytest.fixture(scope="module")
def trial(prepared: str, secrets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:  # noqa: F811
    """The trial, with a gate of each State."""
    folder = tmp_path_factory.mktemp("services")
    services = Trial(prepared, secrets, folder)
    gates = {name: services.start(name) for name in ("gate-ch-0", "gate-de-0")}
    for name, gate in gates.items():
        wait_until(partial(is_at_work, gate, folder / f"{name}.log"), f"{name} works")
    yield services
    for gate in gates.values():
        gate.terminate()
    for name, gate in gates.items():
        assert gate.wait(240) == 0, (folder / f"{name}.log").read_text()


@pytest.mark.kafka
def test_the_lines_of_the_page_do_what_they_say(trial: Trial) -> None:
    """Officers announce, the operator checks, agencies publish, and a partner receives, each with its rights."""
    lines = [line for line in LINES if line not in OFFICERS_LINES]
    assert [line["service"] for line in lines] == [
        "console-ch",
        "console-de",
        "operator",
        "agency-ch-fedpol",
        "partner-de",
        "agency-ch-duty",
    ]
    printed = {}
    for line in lines:

        def is_done(line: dict[str, str | None] = line) -> bool:
            printed[line["service"]] = text = trial.run_line(line)
            return line["service"] != "partner-de" or "CH → DE" in text

        wait_until(is_done, str(line))
    assert "rights: operator: as in the table" in printed["operator"]
    assert "announced: CH" in printed["console-ch"]
    assert "1 read, 1 published, 0 not published" in printed["agency-ch-fedpol"]
    assert "domain-name" in printed["partner-de"]
    assert "1 read, 1 published, 0 not published" in printed["agency-ch-duty"]


@pytest.fixture
def chromium(tmp_path: Path) -> Chromium:
    """Chromium. Without it or axe-core the test is skipped; with CI=true it fails."""
    read_axe()
    return find_chromium(tmp_path)


@pytest.mark.kafka
def test_a_visitor_who_follows_the_page_is_asked_at_the_desk_and_accepts(
    trial: Trial, chromium: Chromium, tmp_path: Path
) -> None:
    invite, add = OFFICERS_LINES
    (offered,) = [line for line in LINES if line["service"] == "agency-ch-duty"]
    assert str(add["mount"]).startswith("$PWD/de-1.passkey.json:")
    for line in LINES:
        if line["service"] in {"console-ch", "console-de", "agency-ch-duty"}:
            trial.run_line(line)
    settings = trial.read_settings("desk-de")
    origin = settings["SHARING_DESK_ORIGIN"]
    desk = trial.start("desk-de", settings)
    driver = None
    try:
        await_health(desk, "desk-de", settings, trial.folder / "desk-de.log")
        driver = chromium.start(hash_public_key((trial.secrets / "desk.de.pem").read_bytes()))
        browser = DeskBrowser(driver, origin)
        printed = trial.run_line(invite, {"https://localhost:8444": origin, "/tmp/": f"{tmp_path}/"})  # noqa: S108
        (link,) = re.findall(rf"{origin}(/enrol/#\S+)", printed)
        fingerprint = enrol(browser, link, tmp_path / "passkey.json")
        trial.run_line(add, {"/passkey.json": str(tmp_path / "passkey.json"), "…": fingerprint})
        sign_in(browser)
        browser.await_text("Accept the conditions of an offer", within="#ask-rows")
        browser.follow_on("#ask-rows [data-row] h2 a")
        browser.click_on(f"{answer_form('ACCEPTED')} button[type=submit]")
        browser.await_text("ch.imac-67.speciality", within=DIALOG)
        browser.click("Sign with your passkey", DIALOG)
        browser.await_text("Done.", within=OUTCOME)
        item = make_item_id("CH", "duty", json.loads((ROOT / str(offered["input"])).read_text())["id"])

        def shows_content() -> bool:
            driver.get(f"{origin}/items/CH/{item}")
            return VALUE in browser.read_text("main")

        with browser.expect_errors("status of 404"):  # until it has arrived
            wait_until(shows_content, "the content is shown")
    finally:
        if driver is not None:
            driver.quit()
        desk.terminate()
        assert desk.wait(240) == 0, (trial.folder / "desk-de.log").read_text()


def enrol(browser: DeskBrowser, link: str, file: Path) -> str:
    """Make a passkey by an invitation, and write its file; return the fingerprint."""
    browser.open(link)
    browser.click("Continue")
    browser.click("Make the passkey")
    browser.await_text("Read out the fingerprint")
    file.write_text(browser.find_all("#enrol-file")[0].get_attribute("value") or "")
    return browser.read_text("#enrol-fingerprint")


def sign_in(browser: DeskBrowser) -> None:
    """Sign in as soon as the desk has read the register again."""

    def is_signed_in() -> bool:
        browser.driver.get(f"{browser.origin}/sign-in")
        browser.click("Sign in with a passkey")
        wait_until(lambda: browser.path == "/asks" or "not" in browser.read_text("#sign-in-message"), "an answer")
        return browser.path == "/asks"

    with browser.expect_errors("status of 40"):
        wait_until(is_signed_in, "the officer signs in")


@pytest.mark.kafka
def test_a_service_cannot_do_the_work_of_another(trial: Trial) -> None:
    inputs = f"{json.dumps(OWN_ITEM)}\n"
    for service, command, text in (
        ("partner-de", "publish /dev/stdin --state CH --agency fedpol --format jsonl", inputs),
        ("agency-ch-fedpol", "subscribe DE --once", None),
        ("console-de", "directory announce /dev/stdin --state CH", sample_directory()[0]),
    ):
        run = trial.run(service, command, text)
        assert run.returncode in {2, 3}, run
        assert "Traceback" not in run.stderr


def test_the_page_shows_every_kind_of_client() -> None:
    services = load_compose()["services"]
    shown = {str(line["service"]).split("-")[0] for line in LINES}
    assert shown == {name.split("-")[0] for name, service in services.items() if "tools" in service.get("profiles", ())}
