"""`python -m processors`: runs one State's worker, as `faust -A processors.app worker` does."""

from __future__ import annotations

from processors.app import app, settings
from processors.faust_app import run_worker

run_worker(app, settings.log_level.upper())
