"""A duty desk in a process of its own, for its measurement: the real board and pages, and officers who are signed in.

`python -m tests.bench.desk_process BOOTSTRAP PORT DESKS`; ends with its standard input.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

import uvicorn

from sharing.console.connection import ConsoleConnection
from sharing.console.found_asks import FoundAsk
from sharing.desk.application import build_application
from sharing.desk.asks import list_routes
from sharing.desk.board.ask_board import AskBoard
from sharing.desk.board.asked_law import AskedLaw
from sharing.desk.broker_state import BrokerState
from sharing.desk.changes import ChangeFeed
from sharing.desk.settings import DeskSettings
from sharing.model.times import DAY_MS
from sharing.rulings.asked_terms import AskedTerms
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.settings import Settings
from tests.bench.figures import print_line
from tests.desk.asgi import STATE, FakeRegister, find_credential, make_officer, make_services
from tests.desk.board.board_world import HELD_BY


def serve(bootstrap: str, port: int, desks: int) -> None:
    """Serve a desk until standard input ends; print its sessions as JSON once its board is read."""
    settings = DeskSettings(STATE, f"http://localhost:{port}")
    console = ConsoleConnection(Settings(seal_to_worker=False), STATE, bootstrap, {}, SINGLE_OBJECT_FRAMING)
    broker, changes, register = BrokerState(), ChangeFeed(), FakeRegister()
    now = int(time.time() * 1000)
    officers = [f"officer-{number}" for number in range(max(desks, 1))]
    for officer_id in officers:
        register.add(
            make_officer(officer_id, issued_at=now - DAY_MS, valid_from=now - DAY_MS, valid_until=now + DAY_MS)
        )
    board = AskBoard(console, _read_clock, broker, changes)
    law = AskedLaw(_look_up, board.touch)
    services = make_services(
        console=console, settings=settings, read_clock=_read_clock, register=register, broker=broker, changes=changes,
        board=board, asked_law=law,
    )  # fmt: skip
    started = time.perf_counter()
    board.start()
    law.start()
    while not board.view().is_read:
        time.sleep(0.02)
    read_s = time.perf_counter() - started
    _, before = services.sessions.begin_anonymous(now, "en")
    cookies = [
        services.sessions.begin(officer_id, find_credential(services, officer_id), now, before)[0]
        for officer_id in officers
    ]
    application = build_application(services, (list_routes,))
    server = uvicorn.Server(uvicorn.Config(application, host="127.0.0.1", port=port, log_level="error"))
    threading.Thread(target=lambda: _end_with_input(server), daemon=True).start()
    print_line(json.dumps({"cookies": cookies, "read_s": read_s, "asks": len(board.view().asks)}))
    server.run()


def _look_up(asks: Sequence[FoundAsk]) -> dict[str, AskedTerms]:
    return {found.ask.id: replace(AskedTerms(), rules=(HELD_BY,), rule=HELD_BY.id) for found in asks}


def _read_clock() -> int:
    return int(time.time() * 1000)


def _end_with_input(server: uvicorn.Server) -> None:
    sys.stdin.read()
    server.should_exit = True


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
