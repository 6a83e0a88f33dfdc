"""Who witnesses whom follows from the settings, or from the partners file."""

from __future__ import annotations

from pathlib import Path

import pytest

from processors.worker.witness_plan import read_witness_plan
from sharing.errors import SettingsError
from sharing.settings import load_settings
from sharing.topology.witnesses import WitnessPlan


@pytest.fixture
def partners(tmp_path: Path) -> Path:
    file = tmp_path / "partners.yaml"
    file.write_text("states: {CH: {}, DE: {}, FR: {}, JP: {}}\n")
    return file


def test_without_settings_nobody_witnesses_anything() -> None:
    assert read_witness_plan(load_settings(state="CH"), "CH") == WitnessPlan()


def test_the_partners_file_says_it_and_settings_win(partners: Path) -> None:
    planned = read_witness_plan(load_settings(state="CH", partners=partners), "CH")
    assert planned == WitnessPlan(("DE", "FR"), ("FR", "JP"))
    changed = load_settings(state="CH", partners=partners, witnesses="jp, de", witness_for="")
    assert read_witness_plan(changed, "CH") == WitnessPlan(("DE", "JP"), ())


@pytest.mark.parametrize("name", ["witnesses", "witness_for"])
def test_no_state_witnesses_itself(name: str) -> None:
    settings = load_settings(state="CH", **{name: "DE,CH"})
    with pytest.raises(SettingsError, match=f"SHARING_{name.upper()}"):
        read_witness_plan(settings, "CH")


def test_a_witness_is_a_state() -> None:
    with pytest.raises(SettingsError, match="witnesses"):
        load_settings(state="CH", witnesses="DE,XX")


def test_a_log_that_is_witnessed_again_is_named_with_a_size() -> None:
    settings = load_settings(state="CH", witness_again="de.sharing/decisions/0@1234, fr.sharing/acts/3@7")
    assert settings.witness_beginnings == {"de.sharing/decisions/0": 1234, "fr.sharing/acts/3": 7}
    assert load_settings(state="CH").witness_beginnings == {}
    for wrong in ("de.sharing/decisions/0", "DE@7", "de.sharing/drafts/0@7"):
        with pytest.raises(SettingsError, match=r"de\.sharing/decisions/0@1234"):
            load_settings(state="CH", witness_again=wrong)
