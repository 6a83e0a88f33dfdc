"""Checks of `sharing doctor` for the installation: Python, packages, settings, schemas, the geolocation database."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from confluent_kafka import libversion

from sharing.cli.doctor.check_result import CheckResult, run_check
from sharing.geoip import open_geoip_lookup
from sharing.serialization.codec import SCHEMA_NAMES, get_codec
from sharing.settings import Settings, load_settings

LIBRDKAFKA_MIN = (2, 4)


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """Options of the command that say what to check.

    Attributes:
        states: The option `--states`; empty without it.
        bootstrap: The option `--bootstrap`.
    """

    states: tuple[str, ...]
    bootstrap: str | None

    def load_settings(self) -> Settings:
        """Load the settings; `--bootstrap` overrides the configured servers.

        Raises:
            SettingsError: A setting is wrong.
        """
        return load_settings(bootstrap=self.bootstrap)


def check_python(_: DoctorOptions) -> Iterator[CheckResult]:
    """Check the Python version."""
    yield CheckResult("python", sys.version_info >= (3, 11), platform.python_version(), "install Python 3.11 or newer")


def check_packages(_: DoctorOptions) -> Iterator[CheckResult]:
    """Check the versions of librdkafka and Faust."""
    text, _number = libversion()
    numbers = tuple(int(part) for part in text.split("-")[0].split(".")[:2])
    try:
        faust = version("faust-streaming")
    except PackageNotFoundError:
        yield CheckResult(
            "packages",
            ok=False,
            detail="faust-streaming is not installed",
            remedy="reinstall sharing-bus with its dependencies",
        )
        return
    remedy = "pip install --upgrade confluent-kafka"
    yield CheckResult("packages", numbers >= LIBRDKAFKA_MIN, f"librdkafka {text}, faust-streaming {faust}", remedy)


def check_settings(options: DoctorOptions) -> Iterator[CheckResult]:
    """Check that the settings can be loaded."""

    def describe_settings() -> str:
        options.load_settings()
        return "readable"

    yield run_check("settings", describe_settings, "correct that setting")


def check_schemas(_: DoctorOptions) -> Iterator[CheckResult]:
    """Check that every Avro schema can be loaded."""

    def describe_schemas() -> str:
        for name in SCHEMA_NAMES:
            get_codec(name)
        return f"{len(SCHEMA_NAMES)} readable"

    yield run_check("schemas", describe_schemas, "reinstall sharing-bus: its files are damaged")


def check_geoip(settings: Settings) -> Iterator[CheckResult]:
    """Check that the IP geolocation database can be opened, if one is configured."""

    def describe_geoip() -> str:
        if settings.geoip is None:
            return "no database is configured: IP addresses are not mapped to States"
        open_geoip_lookup(settings.geoip)
        return f"{settings.geoip} readable"

    yield run_check("geoip", describe_geoip, "set SHARING_GEOIP to a readable database, or unset it")
