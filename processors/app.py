"""The app for `faust -A processors.app worker`, composed from the settings when this module is imported."""

from __future__ import annotations

import sys

from processors.worker.composition import compose
from sharing.errors import SharingError
from sharing.settings import load_settings
from sharing.telemetry.logs import configure_logging

try:
    settings = load_settings()
    configure_logging(settings.log_level, settings.log_format)
    app = compose(settings)
except SharingError as error:
    sys.stderr.write(f"error: {error}\n")
    sys.exit(error.exit_code)
