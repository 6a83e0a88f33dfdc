"""A real Schema Registry for tests: Apicurio, from its Maven artifact, on the JRE of the extra `kafka-local`."""

from __future__ import annotations

import hashlib
import ssl
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from sharing.testing.broker import KafkaUnavailableError
from sharing.testing.broker.jars import _open_repository, find_java
from sharing.testing.broker.process import find_free_port

VERSION = "3.3.3"
SHA256 = "8bc6751c76d963734224b01d5e7f84ccb3cb61c87d3bd77c36c35f10a5cbed63"
START_TIMEOUT_S = 180.0


def fetch_archive() -> Path:
    """Return the archive, downloaded once into the local Maven repository and verified.

    Raises:
        KafkaUnavailableError: The archive cannot be downloaded.
    """
    context, _ = _open_repository()
    artifact = (
        context.project("io.apicurio", "apicurio-registry-app")
        .at_version(VERSION)
        .artifact(classifier="all", packaging="tar.gz")
    )
    try:
        path: Path = artifact.resolve()
    except (OSError, RuntimeError) as error:
        raise KafkaUnavailableError(f"Apicurio {VERSION} cannot be downloaded: {type(error).__name__}") from error
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != SHA256:
            raise KafkaUnavailableError(f"{path} does not match the pinned checksum; remove it")
    return path


class Apicurio:
    """Runs Apicurio on a free port of the loopback interface, with storage in memory.

    Args:
        folder: Folder into which the archive is unpacked.
        secure: Returns the properties file of a registry with TLS, for a port. Without it, the registry has neither
            TLS nor users.
    """

    def __init__(self, folder: Path, secure: Callable[[int], Path] | None = None) -> None:
        self._folder = folder
        self._port = find_free_port()
        self._secure = secure
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """URL of its API with Confluent's paths."""
        address = "http://127.0.0.1" if self._secure is None else "https://localhost"
        return f"{address}:{self._port}/apis/ccompat/v7"

    def start(self) -> None:
        """Start the registry, and wait until it responds."""
        if not (self._folder / "quarkus-run.jar").exists():
            with tarfile.open(fetch_archive()) as archive:
                archive.extractall(self._folder, filter="data")
        environment = {"QUARKUS_HTTP_HOST": "127.0.0.1", "LC_ALL": "C.UTF-8"}
        if self._secure is None:
            environment["QUARKUS_HTTP_PORT"] = str(self._port)
        else:
            environment["QUARKUS_CONFIG_LOCATIONS"] = str(self._secure(self._port))
        environment["QUARKUS_MANAGEMENT_HOST"] = "127.0.0.1"
        environment["QUARKUS_MANAGEMENT_PORT"] = str(find_free_port())
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [str(find_java()), "-Xmx256m", "-jar", "quarkus-run.jar"],
                cwd=self._folder, env=environment, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                unchecked = ssl._create_unverified_context()  # noqa: S323 the test checks the certificate
                with urllib.request.urlopen(f"{self.url}/subjects", timeout=2, context=unchecked):  # noqa: S310
                    return
            except urllib.error.HTTPError as error:
                if error.code != 401:  # of a registry with users
                    raise
                return
            except OSError:
                assert self._process.poll() is None, (self._folder / "log").read_text()[-2000:]
                assert time.monotonic() < deadline, "Apicurio does not respond"
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop the registry."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
