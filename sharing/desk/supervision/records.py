"""What the supervisor's pages show of logs that take long to read: each computed in a thread, and kept with its age."""

from __future__ import annotations

import threading
from typing import Final

from sharing.desk.services import DeskServices
from sharing.desk.supervision.figures import Figures, read_figures
from sharing.desk.supervision.log_state import LogState, read_log_state
from sharing.desk.supervision.refusals import RefusalView, read_refusals
from sharing.desk.supervision.uses_view import UsesView, read_uses_view
from sharing.desk.web.background_result import BackgroundResult
from sharing.model.times import MINUTE_MS

LOG_FRESH_MS: Final = 15 * MINUTE_MS
"""How old a verification may be: it reads both logs from their beginning."""


class SupervisionRecords:
    """The results. One is computed at a time, so that supervisors cost the desk at most one core.

    Args:
        services: What the pages need of the world.

    Attributes:
        figures: What was decided and sent.
        log_state: Whether the audit log is whole.
        refusals: What was refused.
        uses: Who opened what.
    """

    def __init__(self, services: DeskServices) -> None:
        console, read_clock, turn = services.console, services.read_clock, threading.Lock()
        self.figures: BackgroundResult[Figures] = BackgroundResult(
            "figures", lambda: read_figures(console), read_clock, turn=turn
        )
        self.log_state: BackgroundResult[LogState] = BackgroundResult(
            "log-state", lambda: read_log_state(console, read_clock()), read_clock, fresh_ms=LOG_FRESH_MS, turn=turn
        )
        self.refusals: BackgroundResult[RefusalView] = BackgroundResult(
            "refusals", lambda: read_refusals(console), read_clock, turn=turn
        )
        self.uses: BackgroundResult[UsesView] = BackgroundResult(
            "uses", lambda: read_uses_view(console, read_clock()), read_clock, fresh_ms=MINUTE_MS, turn=turn
        )
