"""Kafka starts with the file of classes that this machine has, and Java accepts that file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sharing.testing.broker import jvm
from sharing.testing.broker.jars import fetch_jars, find_java
from sharing.testing.broker.kafka import KafkaBroker
from tests.support import java_cache
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kafka


def test_the_file_is_used_once_it_is_there(kafka: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java_cache, "FOLDER", tmp_path)
    monkeypatch.setattr(jvm, "OPTIONS", ("-Xmx512m",))
    assert not java_cache.use_cache()
    assert jvm.OPTIONS == ("-Xmx512m",)
    file = java_cache.find_cache()
    file.touch()
    assert java_cache.use_cache()
    used = jvm.OPTIONS
    assert f"-XX:AOTCache={file}" in used
    assert java_cache.use_cache()
    assert jvm.OPTIONS is used
    assert java_cache.find_cache() == file


def test_other_options_need_another_file(kafka: KafkaBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    file = java_cache.find_cache()
    monkeypatch.setattr(jvm, "OPTIONS", (*jvm.OPTIONS, "-XX:+UseSerialGC"))
    assert java_cache.find_cache() != file


def test_java_accepts_the_file(kafka: KafkaBroker, tmp_path: Path) -> None:
    file = java_cache.find_cache()
    wait_until(file.exists, "the file of classes is made")  # in the background of the machine's first run
    java = jvm.JavaCommand(find_java(), fetch_jars(lambda _: None))
    command = java.arguments("-XX:AOTMode=on", f"-XX:AOTCache={file}", "kafka.tools.StorageTool", "random-uuid")
    made = subprocess.run(
        command, cwd=tmp_path, env=jvm.make_environment(), capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
