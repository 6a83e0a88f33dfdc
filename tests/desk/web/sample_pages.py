"""Pages that stand for any package of pages: one that shows what was typed, and some that fail."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from sharing.desk.services import DeskServices
from sharing.desk.web.access import require_officer
from sharing.desk.web.errors import PageError
from sharing.desk.web.forms import read_form
from sharing.desk.web.rendering import render
from sharing.errors import InfrastructureError, InputError, SettingsError

CONTENT = "Erika Mustermann DE89370400440532013000"


def list_routes(services: DeskServices) -> list[BaseRoute]:
    def show(request: Request) -> Response:
        return PlainTextResponse(require_officer(request).officer.id)

    def take(request: Request) -> Response:
        form = read_form(request)
        return JSONResponse(
            {"values": form.values, "files": {name: len(each.content) for name, each in form.files.items()}}
        )

    def forget_to_ask(request: Request) -> Response:
        return PlainTextResponse(CONTENT)

    def repeat(request: Request) -> Response:
        return render(request, "layout/error.html", 200, sentence=read_form(request).get("text"), remedy="", kept=None)

    def fail(request: Request) -> Response:
        kind = request.path_params["kind"]
        errors: dict[str, Exception] = {
            "input": InputError("the field `text` is too long; shorten it"),
            "broker": InfrastructureError("no broker answers at 10.9.8.7:9092"),
            "settings": SettingsError("SHARING_X is wrong"),
            "conflict": PageError(409),
            "bug": ValueError(CONTENT),
        }
        raise errors[kind]

    return [
        Route("/sample", show, methods=["GET"]),
        Route("/sample", take, methods=["POST"]),
        Route("/sample/open", forget_to_ask, methods=["GET"]),
        Route("/sample/repeat", repeat, methods=["POST"]),
        Route("/sample/fail/{kind}", fail, methods=["GET"]),
    ]
