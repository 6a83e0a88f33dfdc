"""`sharing settings`: every setting, its value and origin; and the errors for wrong settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, SecretStr

import sharing.cli.settings
import sharing.settings
from sharing.settings import Settings, load_settings
from tests.cli.conftest import Call


def test_every_setting_is_shown_with_its_origin(
    call: Call, monkeypatch: pytest.MonkeyPatch, empty_folder: Path
) -> None:
    file = empty_folder / "sharing.toml"
    file.write_text('partitions = 7\nstate = "ch"\nbootstrap = "from-the-file:1"\n')
    monkeypatch.setenv("SHARING_CONFIG", str(file))
    monkeypatch.setenv("SHARING_BOOTSTRAP", "from-the-environment:2")
    rows = {row["variable"]: row for row in call("settings", "--json").json_document}
    assert set(rows) == {f"SHARING_{name.upper()}" for name in Settings.model_fields}
    shown = {name: (rows[f"SHARING_{name}"]["value"], rows[f"SHARING_{name}"]["origin"]) for name in (
        "BOOTSTRAP", "PARTITIONS", "STATE", "REPLICATION", "PACKS")}  # fmt: skip
    assert shown == {
        "BOOTSTRAP": ("from-the-environment:2", "environment"),
        "PARTITIONS": ("7", "file"),
        "STATE": ("CH", "file"),
        "REPLICATION": ("1", "default"),
        "PACKS": (None, "default"),
    }
    assert all(row["description"] for row in rows.values())


def test_without_json_a_table_is_printed(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARING_STATE", "NL")
    result = call("settings")
    assert result.code == 0
    assert ["SHARING_STATE", "NL", "environment"] in [line.split()[:3] for line in result.out.splitlines()]
    assert "SHARING_CONFIG" in result.err


@pytest.mark.parametrize("width", ["80", "140"])
def test_names_are_not_wrapped_in_a_terminal(call: Call, monkeypatch: pytest.MonkeyPatch, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    result = call("settings")
    assert {f"SHARING_{name.upper()}" for name in Settings.model_fields} <= set(result.out.split())
    assert max(map(len, result.out.splitlines())) <= int(width)


def test_secrets_are_masked(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    class WithSecret(Settings):
        password: SecretStr = Field(default=SecretStr("hunter2"), description="A secret.")

    for module in (sharing.settings, sharing.cli.settings):
        monkeypatch.setattr(module, "Settings", WithSecret)
    result = call("settings", "--json")
    assert "hunter2" not in result.out
    assert {row["value"] for row in result.json_document if row["name"] == "password"} == {"********"}
    assert "hunter2" not in call("settings").out


@pytest.mark.parametrize("variable", ["SHARING_BOOTSTRP", "SHARING_bootstrp", "sharing_bootstrp"])
def test_a_misspelt_variable_suggests_the_nearest_name(
    call: Call, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "broker:9092")
    for command in (("settings",), ("topics", "list"), ("publish", "x", "--state", "CH", "--agency", "a")):
        result = call(*command)
        assert result.code == 2
        assert result.error.startswith(f"unknown setting {variable}; did you mean 'SHARING_BOOTSTRAP'?")
        assert result.out == ""


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SHARING_PARTITIONS", "many", "SHARING_PARTITIONS (or `partitions` in the settings file): "),
        ("SHARING_PARTITIONS", "0", "must be at least 1"),
        ("SHARING_STATE", "Germny", "did you mean DE (Germany)?"),
        ("SHARING_LOG_LEVEL", "loud", "SHARING_LOG_LEVEL"),
        ("SHARING_INSTANCE", "a b", "SHARING_INSTANCE"),
        ("SHARING_CONFIG", "nowhere.toml", "SHARING_CONFIG names nowhere.toml, which is not a file"),
        ("SHARING_CONFIG", ".", "which is not a file"),
        ("SHARING_FEEDS_NOT_ASKED", "feed,,other", "must name an agency between any two commas"),
    ],
)
def test_a_wrong_value_names_the_setting(
    call: Call, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    monkeypatch.setenv(name, value)
    result = call("settings")
    assert result.code == 2
    assert message in result.error


HTTP_SETTINGS = ("REGISTRY", "TIME_STAMP_URL", "PROMETHEUS", "ASK_LINK", "OTLP_ENDPOINT")
WRONG_SERVERS = (
    "canary.example:8080",
    "canary.example",
    "ftp://canary.example",
    "file:///canary",
    "https:///canary",
    "https://canary.example:99999",
    "https://canary.example:0",
    "https://canary.example:",
    "https://canary.example:abc",
    "https://canary.example:-1",
    "https://[canary",
    "https://::1:canary",
    "https://canary.example/with space",
    "https://canary.example/\u202e",
)


@pytest.mark.parametrize("value", [*WRONG_SERVERS, "https://user:canary@service.example", "https://canary@host"])
@pytest.mark.parametrize("name", HTTP_SETTINGS)
def test_a_service_that_cannot_be_asked_is_refused_when_settings_are_loaded(
    call: Call, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"SHARING_{name}", value)
    result = call("settings")
    assert (result.code, result.out) == (2, "")
    assert result.error.startswith(f"SHARING_{name} (or `{name.lower()}` in the settings file): must ")
    assert "canary" not in result.error, "it may be a secret"
    assert ("must contain no user and no password" in result.error) == ("@" in value)


@pytest.mark.parametrize("value", WRONG_SERVERS)
@pytest.mark.parametrize(
    ("name", "scheme", "wanted"),
    [("SMTP_URL", "smtps", "must be the address of a mail server"), ("WEBHOOK_URL", "https", "a protected address")],
)
def test_a_secret_address_is_checked_and_never_repeated(
    call: Call, monkeypatch: pytest.MonkeyPatch, name: str, scheme: str, wanted: str, value: str
) -> None:
    monkeypatch.setenv(f"SHARING_{name}", value.replace("https", scheme))
    result = call("publish", "nothing.jsonl", "--state", "CH", "--agency", "fedpol")
    assert (result.code, result.out) == (2, "")
    assert wanted in result.error
    assert "canary" not in result.error


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SMTP_URL", "https://mail.example"),
        ("SMTP_URL", "smtp://mail.example/inbox"),
        ("SMTP_URL", "smtp://mail.example?a=b"),
        ("WEBHOOK_URL", "http://hook.example/hook"),
        ("WEBHOOK_URL", "http://127.0.0.2.example/hook"),
        ("WEB_BIND", "0.0.0.0:8080"),
        ("WEB_BIND", "http://127.0.0.1"),
        ("WEB_BIND", "[::1]"),
        ("WEB_BIND", "999.0.0.1"),
        ("DESK_HOST", "127.0.0.1:8443"),
        ("DESK_HOST", "a b"),
        ("DESK_PORT", "99999"),
        ("DESK_METRICS_PORT", "0"),
        ("WEB_PORT", "65536"),
        ("DESK_ORIGIN", "https://desk.example:99999"),
        ("BOOTSTRAP", "broker:99999"),
        ("BOOTSTRAP", "broker:abc"),
    ],
)
def test_an_address_of_another_kind_is_refused(
    call: Call, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"SHARING_{name}", value)
    result = call("settings")
    assert (result.code, result.out) == (2, "")
    assert result.error.startswith(f"SHARING_{name} (or `{name.lower()}` in the settings file): ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "https://service.example/path/v7?a=b") for name in HTTP_SETTINGS),
        *((name, "http://[::1]:65535") for name in HTTP_SETTINGS),
        ("SMTP_URL", "smtps://user:p%40ss@mail.example"),
        ("SMTP_URL", "smtp://127.0.0.1:1/"),
        ("WEBHOOK_URL", "https://user:token@hook.example/a/b?c=d"),
        ("WEBHOOK_URL", "http://localhost:8080/hook"),
        ("WEBHOOK_URL", "http://[::1]/hook"),
        ("WEB_BIND", "0.0.0.0"),  # noqa: S104
        ("WEB_BIND", "::"),
        ("DESK_HOST", "Desk.example"),
    ],
)
def test_an_address_of_the_right_kind_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"SHARING_{name}", value)
    taken = getattr(load_settings(), name.lower())
    assert (taken.get_secret_value() if isinstance(taken, SecretStr) else taken) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"partitons = 3", "partitons"),
        (b"partitons = 3", "did you mean 'partitions'?"),
        (b"partitions = ", "cannot be read"),
        (b"partitions = 'x'", "SHARING_PARTITIONS (or `partitions` in the settings file)"),
        (b"\xff\xfe", "cannot be read"),
        (b"[section]\na = 1", "section"),
    ],
)
def test_a_wrong_settings_file_names_the_problem(
    call: Call, monkeypatch: pytest.MonkeyPatch, empty_folder: Path, text: bytes, message: str
) -> None:
    (empty_folder / "s.toml").write_bytes(text)
    monkeypatch.setenv("SHARING_CONFIG", "s.toml")
    result = call("settings")
    assert result.code == 2
    assert message in result.error


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHARING_BOOTSTRAP", "SHARING_WEB_PORT", "SHARING_PACKS", "SHARING_PARTITIONS"):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert (settings.bootstrap, settings.web_port, settings.packs, settings.partitions) == (None, None, None, 4)


def test_feeds_about_which_nobody_is_asked_are_named_as_items_name_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().agencies_not_asked == ()
    monkeypatch.setenv("SHARING_FEEDS_NOT_ASKED", "Feed of the Ministry, feed-2,feed-2")
    assert load_settings().agencies_not_asked == ("Feed of the Ministry", "feed-2")


def test_the_command_line_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARING_PARTITIONS", "3")
    assert load_settings(partitions=9).partitions == 9
    assert load_settings(partitions=None).partitions == 3
