"""Pages from templates. What a template prints is escaped, and made plain first: nothing of others is executed."""

from __future__ import annotations

import json
from functools import partial
from importlib.resources import files
from typing import Any, Final

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from sharing.desk.settings import LANGUAGES
from sharing.desk.store.due_preservations import count_due
from sharing.desk.web.catalogue import get_language, translate, translate_plural
from sharing.desk.web.code_words import (
    name_authority,
    name_category,
    name_fields,
    name_given,
    name_message,
    name_role,
    name_roles,
    name_treaty,
    name_type,
    show_state,
    show_states,
)
from sharing.desk.web.instants import UTC_NAME, set_view, show_instant, show_left
from sharing.desk.web.plain_text import to_plain
from sharing.desk.web.said import show_said
from sharing.desk.web.sessions import Session, SignedIn
from sharing.desk.web.static_files import StaticFiles
from sharing.desk.web.value_words import name_value
from sharing.desk.web.wording import write_colon, write_semicolon
from sharing.model.countries import STATES

_FOLDER: Final = files("sharing.desk") / "templates"
LANGUAGE_NAMES: Final = {"en": "English", "fr": "Français"}
"""Each language, named in itself."""

PACK_LANGUAGE: Final = "en"
"""The language of law packs: their texts are shown as they are, and marked with it."""

HTMX_SETTINGS: Final = json.dumps(
    {
        "allowEval": False,  # the content security policy forbids it anyway
        "allowScriptTags": False,
        "includeIndicatorStyles": False,  # an inline style
        "selfRequestsOnly": True,
        "historyCacheSize": 0,  # no page is kept in the browser's storage
        "refreshOnHistoryMiss": True,
        "timeout": 20_000,
        "responseHandling": [  # an error page for htmx says itself where it is shown
            {"code": "204", "swap": False},
            {"code": "401", "swap": False, "error": True},
            {"code": "[23]..", "swap": True},
            {"code": "[45]..", "swap": True, "error": True},
        ],
    }
)


class _PackageLoader(BaseLoader):
    """Reads templates from the installed package, which may be a zip file."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, None]:
        del environment
        parts = template.split("/")
        if ".." in parts or not all(parts):
            raise TemplateNotFound(template)
        resource = _FOLDER.joinpath(*parts)
        if not resource.is_file():
            raise TemplateNotFound(template)
        return resource.read_text("utf-8"), template, None

    def list_templates(self) -> list[str]:
        return sorted(_list_templates(_FOLDER, ""))


def _list_templates(folder: Any, prefix: str) -> list[str]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _list_templates(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith((".html", ".txt", ".md")):
            found.append(f"{prefix}{entry.name}")
    return found


def make_environment(static: StaticFiles) -> Environment:
    """Return the environment of all templates."""
    environment = Environment(
        loader=_PackageLoader(),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_make_plain,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    environment.filters["plain"] = to_plain
    environment.filters["as_typed"] = keep_as_typed
    environment.filters["instant"] = show_instant
    environment.filters["instant_seconds"] = partial(show_instant, with_seconds=True)
    environment.filters["left"] = show_left
    environment.filters["state_name"] = show_state
    environment.filters["state_names"] = show_states
    environment.filters["category_name"] = name_category
    environment.filters["role_name"] = name_role
    environment.filters["role_names"] = name_roles
    environment.filters["authority_name"] = name_authority
    environment.filters["treaty_name"] = name_treaty
    environment.filters["type_name"] = name_type
    environment.filters["field_names"] = name_fields
    environment.filters["message_name"] = name_message
    environment.filters["given_name"] = name_given
    environment.filters["said"] = show_said
    environment.tests["state_code"] = STATES.__contains__
    environment.globals["_"] = translate
    environment.globals["ngettext"] = translate_plural
    environment.globals["asset"] = static.make_url
    environment.globals["htmx_settings"] = HTMX_SETTINGS
    environment.globals["languages"] = LANGUAGES
    environment.globals["language_names"] = LANGUAGE_NAMES
    environment.globals["pack_language"] = PACK_LANGUAGE
    environment.globals["colon"] = write_colon
    environment.globals["semicolon"] = write_semicolon
    environment.globals["value_name"] = name_value
    return environment


def _make_plain(value: Any) -> Any:
    """Make each printed value plain, whether or not the template says so. What is markup already is left."""
    return value if isinstance(value, Markup) else to_plain(value)


def keep_as_typed(text: str) -> Markup:
    """Return what the reader of a page has typed, for the field in which it stands again: escaped, and not changed.

    Anything else that is printed is made plain. Here a character that cannot be seen would be lost to its writer.
    """
    return escape(str(text))


def render(
    request: Request, template: str, status: int = 200, headers: dict[str, str] | None = None, **context: Any
) -> HTMLResponse:
    """Return a page.

    Args:
        request: The request: its officer, language and zone decide how things are shown.
        template: Name of the template, such as `asks/list.html`.
        status: HTTP status.
        headers: Further headers.
        context: What the template needs. It also has `signed_in` (None before sign-in), `session`, `csrf`, `now`,
            `desk` (the settings), `state`, `path`, `broker_away_since`, `emergencies`,
            `preservations_due`, `officer_name` (of an id) and `language`.
    """
    return HTMLResponse(render_text(request, template, **context), status, headers)


def render_text(request: Request, template: str, **context: Any) -> str:
    """Return what a template makes, as text: for a page in a response of its own kind, such as a file."""
    services = request.app.state.services
    environment: Environment = request.app.state.templates
    now = services.read_clock()
    session: Session | None = getattr(request.state, "session", None)
    signed_in: SignedIn | None = getattr(request.state, "signed_in", None)
    set_view(session.time_zone if session is not None else UTC_NAME, now)

    def name_officer(officer_id: str) -> str:
        """Return the name of an officer of this State who is in force; "" of any other."""
        entry = services.register.find(officer_id, now) if signed_in is not None else None
        return entry.name if entry is not None else ""

    common = {
        "request": request,
        "officer_name": name_officer,
        "path": request.url.path,
        "desk": services.settings,
        "state": services.settings.state,
        "now": now,
        "session": session,
        "signed_in": signed_in,
        "csrf": session.csrf if session is not None else "",
        "language": get_language(),
        "broker_away_since": services.broker.away_since,
        "emergencies": services.board.emergencies if signed_in is not None else 0,
        "preservations_due": count_due(services.store, now) if signed_in is not None else 0,
        "navigation": request.app.state.navigation,
    }
    return environment.get_template(template).render({**common, **context})
