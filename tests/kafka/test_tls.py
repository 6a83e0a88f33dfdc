"""Certificates: problems are reported before a client connects, and no secret is printed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from processors.worker.gate_identity import identify_gate
from sharing.errors import InfrastructureError, SettingsError
from sharing.kafka.clients import client_properties, make_producer
from sharing.kafka.tls import check_identity, read_identity, tls_properties
from sharing.settings import Settings
from sharing.testing.broker.certificates import client_tls_properties, make_certificates, secure_server_properties
from sharing.topology.acls import Principal
from sharing.topology.topic_kinds import Role

NAMES = ("gate.ch", "gate.de", "agency.ch.fedpol", "judge.ch")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("trustme")
    certificates = tmp_path_factory.mktemp("tls") / "certificates"
    make_certificates(certificates, NAMES)
    return certificates


def settings(folder: Path, name: str = "gate.ch", **changes: Any) -> Settings:
    files = {"tls_ca": folder / "ca.pem", "tls_certificate": folder / f"{name}.pem", "tls_key": folder / f"{name}.key"}
    return Settings.model_validate({"state": "CH", "bootstrap": "127.0.0.1:1", **files, **changes})


def test_only_this_user_can_read_the_keys_and_the_key_of_the_ca_is_not_kept(folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert {path.name for path in folder.glob("*.key")} == {f"{name}.key" for name in (*NAMES, "broker")}


def test_a_broker_denies_everything_without_an_acl(folder: Path) -> None:
    properties = secure_server_properties(folder)
    assert properties["ssl.client.auth"] == "required"
    assert properties["allow.everyone.if.no.acl.found"] == "false"
    assert properties["super.users"] == "User:broker"
    with pytest.raises(
        InfrastructureError, match=r"no certificate for gate\.nl; it has certificates for agency\.ch\.fedpol, gate"
    ):
        client_tls_properties(folder, "gate.nl")


def test_librdkafka_accepts_the_properties_and_checks_the_host_name_of_the_broker(folder: Path) -> None:
    properties = tls_properties(settings(folder))
    assert properties["security.protocol"] == "ssl"
    assert properties["ssl.endpoint.identification.algorithm"] == "https"
    make_producer(client_properties("127.0.0.1:1", properties))
    identity = read_identity(settings(folder))
    assert identity is not None
    assert identity.principal == Principal(Role.GATE, "CH")
    assert tls_properties(Settings(state="CH")) == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tls_ca": None}, "SHARING_TLS_CA: not set, while SHARING_TLS_CERTIFICATE, SHARING_TLS_KEY is"),
        ({"tls_key": None, "tls_certificate": None}, "SHARING_TLS_CERTIFICATE and SHARING_TLS_KEY: not set"),
        ({"tls_ca": None, "tls_key": None, "tls_certificate": None, "tls_key_password": "x"}, "set all or none"),
        (
            {"tls_certificate": "nowhere.pem"},
            "SHARING_TLS_CERTIFICATE names nowhere.pem, which cannot be read: No such",
        ),
        ({"tls_certificate": "gate.ch.key"}, "which contains no PEM certificate"),
        ({"tls_ca": "gate.ch.key"}, "SHARING_TLS_CA names .*contains no PEM certificate"),
        ({"tls_key": "gate.ch.pem"}, "SHARING_TLS_KEY names .*is not a PEM private key"),
        ({"tls_key": "gate.de.key"}, "does not belong to the certificate .*belong together"),
        ({"state": "DE"}, r"\(gate\.ch\) belongs to CH, but SHARING_STATE is DE; name the certificate of DE"),
    ],
)
def test_missing_files_and_files_that_do_not_belong_together_are_reported(
    folder: Path, changes: dict[str, Any], message: str
) -> None:
    given = {
        name: folder / value if isinstance(value, str) and (folder / value).exists() else value
        for name, value in changes.items()
    }
    with pytest.raises(SettingsError, match=message):
        tls_properties(settings(folder, "gate.ch", **given))


def test_a_certificate_that_is_expired_or_not_yet_valid_is_refused(folder: Path, tmp_path: Path) -> None:
    make_certificates(tmp_path / "old", ["gate.ch"], timedelta(seconds=-1))
    with pytest.raises(SettingsError, match=r"\(gate\.ch\) expired on .*have it renewed"):
        tls_properties(settings(tmp_path / "old"))
    identity = read_identity(settings(folder))
    assert identity is not None
    with pytest.raises(SettingsError, match="the clock says 1999-12-31 00:00Z; set the clock"):
        check_identity(identity, settings(folder), datetime(1999, 12, 31, tzinfo=UTC))


def test_a_key_with_a_password_can_be_used(folder: Path, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key((folder / "gate.ch.key").read_bytes(), None)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    path = tmp_path / "gate.key"
    path.write_bytes(key.private_bytes(*form, serialization.BestAvailableEncryption(b"correct horse")))
    properties = tls_properties(settings(folder, tls_key=path, tls_key_password="correct horse"))  # noqa: S106 a test's
    assert properties["ssl.key.password"] == "correct horse"
    make_producer(client_properties("127.0.0.1:1", properties))
    wrong = settings(folder, tls_key=path, tls_key_password="battery staple")  # noqa: S106 a test's
    assert "battery" not in repr(wrong)
    with pytest.raises(SettingsError, match="cannot be opened with SHARING_TLS_KEY_PASSWORD") as raised:
        tls_properties(wrong)
    assert "battery" not in str(raised.value)


def test_a_gate_connects_with_its_own_certificate_and_reads_the_topics_of_its_agencies(
    folder: Path, tmp_path: Path
) -> None:
    identity = identify_gate(settings(folder, agencies="fedpol, customs"))
    assert identity.topics == ("national.ch.indicators.fedpol", "national.ch.indicators.customs")
    assert identity.agency_by_topic == {
        "national.ch.indicators.fedpol": "fedpol",
        "national.ch.indicators.customs": "customs",
        "national.ch.indicators": None,
    }
    assert identity.optional_topics == ("national.ch.indicators",)
    assert identity.group == "national.ch.gate"
    assert identity.client["ssl.certificate.location"] == str(folder / "gate.ch.pem")
    file = tmp_path / "partners.yaml"
    file.write_text("states: {CH: {agencies: [fedpol]}, DE: {}}\n")
    assert identify_gate(settings(folder, partners=file)).topics == ("national.ch.indicators.fedpol",)
    assert identify_gate(settings(folder)).topics == ("national.ch.indicators",)
    for name in ("agency.ch.fedpol", "judge.ch"):
        with pytest.raises(SettingsError, match=rf"belongs to {name}; a gate of CH needs the certificate of gate\.ch"):
            identify_gate(settings(folder, name))
    file.write_text("states: {DE: {}}\n")
    with pytest.raises(SettingsError, match="does not list CH; add it to that file"):
        identify_gate(settings(folder, partners=file))
