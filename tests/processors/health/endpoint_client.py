"""A client of a running worker's HTTP endpoints."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from prometheus_client.parser import text_string_to_metric_families


class EndpointClient:
    """Reads a worker's HTTP endpoints."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

    def get_json(self, path: str) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(self._base + path, timeout=60) as response:  # noqa: S310 a local URL
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {}

    def is_ready(self) -> bool:
        return self.get_json("/ready")[0] == 200

    def read_samples(self) -> dict[tuple[str, tuple[str, ...]], float]:
        with urllib.request.urlopen(f"{self._base}/metrics", timeout=60) as response:  # noqa: S310
            text = response.read().decode()
        return {
            (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def is_scraped(self) -> bool:
        """Scrape the metrics; return whether the worker answered."""
        try:
            self.read_samples()
        except OSError:
            return False
        return True

    def find_failing(self) -> dict[str, str]:
        """Return the readiness checks that fail, each with its reason; {} if the worker does not answer."""
        checks = self.get_json("/ready")[1].get("checks", {})
        return {name: check["reason"] for name, check in checks.items() if not check["ok"]}
