"""The supervisor's pages. What takes long to read is computed in a thread; a page shows the last result and its age."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sharing.audit.transfers import TransferKind
from sharing.console.safe_csv import format_csv
from sharing.desk.services import DeskServices
from sharing.desk.supervision.access import require_supervisor
from sharing.desk.supervision.figures import ROWS_SHOWN_MAX, FigureChoice, count_kinds
from sharing.desk.supervision.records import SupervisionRecords
from sharing.desk.supervision.refusals import REFUSAL_COLUMNS
from sharing.desk.supervision.uses_view import SHOWN_MAX, USE_DAYS
from sharing.desk.supervision.waiting import view_waiting
from sharing.desk.supervision.words import (
    describe_grounds,
    describe_law,
    describe_opener,
    describe_void,
    list_answer_words,
    list_ask_words,
    list_fault_words,
    list_transfer_words,
)
from sharing.desk.web.background_result import BackgroundResult
from sharing.desk.web.catalogue import _
from sharing.desk.web.code_words import show_state
from sharing.desk.web.errors import PageError
from sharing.desk.web.forms import Form
from sharing.desk.web.rendering import render
from sharing.model.countries import STATES
from sharing.topology.name_patterns import READER_NAME_PATTERN

_MONTH: Final = re.compile(r"[0-9]{4}-[0-9]{2}", re.ASCII)
_ITEM: Final = re.compile(r"[0-9a-f-]{36}", re.ASCII)


def list_routes(services: DeskServices) -> list[BaseRoute]:
    """Return the routes of the pages."""
    pages = SupervisionPages(services, SupervisionRecords(services))
    return [
        Route("/supervision", pages.show_waiting, methods=["GET"]),
        Route("/supervision/decisions", pages.show_figures, methods=["GET"]),
        Route("/supervision/decisions.csv", pages.send_figures, methods=["GET"]),
        Route("/supervision/years.csv", pages.send_years, methods=["GET"]),
        Route("/supervision/audit", pages.show_log_state, methods=["GET"]),
        Route("/supervision/refusals", pages.show_refusals, methods=["GET"]),
        Route("/supervision/refusals.csv", pages.send_refusals, methods=["GET"]),
        Route("/supervision/uses", pages.show_uses, methods=["GET"]),
        Route("/supervision/{name}/refresh", pages.refresh, methods=["POST"]),
    ]


class SupervisionPages:
    """The endpoints. Each asks first whether a supervisor asks.

    Args:
        services: What the pages need of the world.
        records: What takes long to read.
    """

    def __init__(self, services: DeskServices, records: SupervisionRecords) -> None:
        self._services = services
        self._records = records
        self._results: dict[str, BackgroundResult[Any]] = {
            "decisions": records.figures,
            "audit": records.log_state,
            "refusals": records.refusals,
            "uses": records.uses,
        }

    def show_waiting(self, request: Request) -> Response:
        """Show what is open and overdue."""
        require_supervisor(request)
        services = self._services
        board = services.board.view()
        view = view_waiting(board.asks, services.console.state, services.read_clock())
        return render(
            request, "supervision/waiting.html", view=view, words=list_ask_words(), is_complete=board.is_complete
        )

    def show_figures(self, request: Request) -> Response:
        """Show what was decided and sent, by outcome, law, State and month."""
        require_supervisor(request)
        choice = _read_choice(request)
        known = self._records.figures.get()
        rows = {} if known.value is None else known.value.choose(choice)
        shown, words = list(rows.items())[:ROWS_SHOWN_MAX], list_transfer_words()
        months, states, kinds = ((), (), ()) if known.value is None else known.value.list_choices()
        return render(
            request,
            "supervision/decisions.html",
            known=known,
            name="decisions",
            choice=choice,
            form=Form.of({"month": choice.month, "state": choice.state, "kind": choice.kind}),
            rows=[(row, *describe_law(row.grounds.law, row.grounds.basis), count) for row, count in shown],
            row_count=len(rows),
            totals=[(words[kind], count) for kind, count in count_kinds(rows.items()).items()],
            words=words,
            months=[(month, month) for month in months],
            states=[(state, show_state(state)) for state in states],
            kinds=[(kind.value, words[kind]) for kind in kinds],
            query=f"month={choice.month}&state={choice.state}&kind={choice.kind}",
        )

    def send_figures(self, request: Request) -> Response:
        """Send the counts that are chosen as a file, without items and persons."""
        require_supervisor(request)
        choice = _read_choice(request)
        return self._send_csv(self._records.figures, "decisions", lambda figures: figures.format_csv(choice))

    def send_years(self, request: Request) -> Response:
        """Send the statistics of each year by treaty as a file."""
        require_supervisor(request)
        return self._send_csv(self._records.figures, "years", lambda figures: figures.format_yearly_csv())

    def show_log_state(self, request: Request) -> Response:
        """Show whether the audit log is whole, and up to when it is witnessed."""
        require_supervisor(request)
        known = self._records.log_state.get()
        return render(request, "supervision/audit.html", known=known, name="audit", faults=list_fault_words())

    def show_refusals(self, request: Request) -> Response:
        """Show what people refused, and on which grounds."""
        require_supervisor(request)
        known = self._records.refusals.get()
        cells = [] if known.value is None else known.value.list_cells()
        return render(
            request,
            "supervision/refusals.html",
            known=known,
            name="refusals",
            cells=sorted(cells, key=lambda row: str(row[0]), reverse=True)[:ROWS_SHOWN_MAX],
            asks=list_ask_words(),
            answers=list_answer_words(),
            describe_grounds=describe_grounds,
            describe_void=describe_void,
            void=[] if known.value is None else [(describe_void(code), n) for code, n in known.value.void.items()],
        )

    def send_refusals(self, request: Request) -> Response:
        """Send the counts of refusals as a file, without items and persons."""
        require_supervisor(request)
        return self._send_csv(
            self._records.refusals, "refusals", lambda view: format_csv(REFUSAL_COLUMNS, view.list_cells())
        )

    def show_uses(self, request: Request) -> Response:
        """Show who opened what."""
        require_supervisor(request)
        reader, item = request.query_params.get("reader", "").strip(), request.query_params.get("item", "").strip()
        form = Form.of({"reader": reader, "item": item})
        if reader and not re.match(READER_NAME_PATTERN, reader):
            form.refuse("reader", _("A reader's name has letters, digits, '.', '_' and '-'."))
        if item and not _ITEM.fullmatch(item):
            form.refuse("item", _("Type the whole id of an item or notice: 36 characters."))
        known = self._records.uses.get()
        chosen = known.value.choose(reader, item) if known.value is not None and form.is_valid else ()
        return render(
            request,
            "supervision/uses.html",
            200 if form.is_valid else 400,
            known=known,
            name="uses",
            form=form,
            chosen=chosen[:SHOWN_MAX],
            chosen_count=len(chosen),
            days=USE_DAYS,
            describe_opener=describe_opener,
        )

    def refresh(self, request: Request) -> Response:
        """Have a result computed again."""
        require_supervisor(request)
        name = request.path_params["name"]
        if name not in self._results:
            raise PageError(404)
        self._results[name].refresh()
        return RedirectResponse(f"/supervision/{name}", 303)

    def _send_csv(self, result: BackgroundResult[Any], name: str, write: Callable[[Any], str]) -> Response:
        known = result.get()
        if known.value is None:
            raise PageError(
                503,
                _("This is being computed; it is not ready yet."),
                _("Wait until the page shows it, then load the file again."),
            )
        headers = {"Content-Disposition": f'attachment; filename="{self._services.console.state.lower()}-{name}.csv"'}
        return Response(write(known.value), 200, headers, "text/csv; charset=utf-8; header=present")


def _read_choice(request: Request) -> FigureChoice:
    """Return which rows are chosen; what is no month, State or outcome chooses nothing.

    Raises:
        PageError: A part is none of these.
    """
    month, state, kind = (request.query_params.get(name, "") for name in ("month", "state", "kind"))
    is_known = (
        (not month or _MONTH.fullmatch(month))
        and (not state or state in STATES)
        and (not kind or kind in TransferKind.__members__)
    )
    if not is_known:
        raise PageError(400)
    return FigureChoice(month, state, kind)
