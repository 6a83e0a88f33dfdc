"""The app for `faust -A processors.app worker`: made from the settings when this module is imported."""

from __future__ import annotations

import sys

from processors.composition import compose
from processors.worker import configure_logging
from sharing.errors import SharingError
from sharing.settings import load_settings

try:
    settings = load_settings()
    configure_logging(settings.log_level)
    app = compose(settings)
except SharingError as error:
    sys.stderr.write(f"error: {error}\n")
    sys.exit(error.exit_code)
