"""How a process logs: one line an event, for people on a terminal, as JSON elsewhere.

Lines carry ids, topics, partitions and offsets. What an unexpected exception says may hold content, wherever it
comes from, so that of each exception only its type and its lines of code are written: in a log, and where Python
itself would print a traceback.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Final

import structlog
from structlog.stdlib import ProcessorFormatter

from sharing.errors import SharingError
from sharing.kafka.clients import LOGGER as LIBRDKAFKA
from sharing.telemetry import metrics

if TYPE_CHECKING:
    from types import TracebackType

    from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

log = logging.getLogger(__name__)

FRAMES_MAX = 12

# What mode and Faust say about a failure is said by the worker, once and without a stack that means nothing to an
# operator; asyncio repeats an exception's text in its own.
QUIET: Final = {"mode": logging.CRITICAL + 1, "faust": logging.ERROR, "aiohttp.access": logging.WARNING}


def configure_logging(level: str | int, form: str = "auto") -> None:
    """Log to standard error; where logging is configured already, leave it as it is.

    Args:
        level: The least level, as a name or a number.
        form: `json`, `text`, or `auto`: text on a terminal.
    """
    root = logging.getLogger()
    if root.handlers:
        return
    number = logging.getLevelNamesMapping()[level.upper()] if isinstance(level, str) else level
    as_json = form == "json" or (form == "auto" and not sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(as_json=as_json))
    handler.addFilter(_clean)
    root.addHandler(handler)
    root.setLevel(number)
    for name, least in QUIET.items():
        logging.getLogger(name).setLevel(max(least, number))
    # What librdkafka says comes as errors, too, and is told in other words; its own are for a closer look.
    logging.getLogger(LIBRDKAFKA).propagate = number <= logging.DEBUG
    logging.captureWarnings(capture=True)
    sys.excepthook = _on_exception
    threading.excepthook = lambda hook: _on_exception(
        hook.exc_type, hook.exc_value or hook.exc_type(), hook.exc_traceback
    )
    sys.unraisablehook = lambda hook: _on_exception(
        hook.exc_type, hook.exc_value or hook.exc_type(), hook.exc_traceback
    )


def describe_exception(error: BaseException) -> str:
    """Return an exception's type and the lines of code that it came through, and its text only where it is ours."""
    said = f"{type(error).__name__}: {error}" if isinstance(error, SharingError) else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    way = " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)
    text = f"{said} at {way}" if way else said
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{text}; after {describe_exception(cause)}" if cause is not None else text


def _formatter(*, as_json: bool) -> ProcessorFormatter:
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _tell_exception,
        _cut_asyncio,
    ]
    last: list[Processor] = (
        [structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=True)] if as_json else [_render_text]
    )
    return ProcessorFormatter(
        foreign_pre_chain=shared, processors=[ProcessorFormatter.remove_processors_meta, *last], use_get_message=True
    )


def _tell_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    found: ExcInfo | BaseException | bool | None = event.pop("exc_info", None)
    error = found if isinstance(found, BaseException) else found[1] if isinstance(found, tuple) else None
    if error is not None:
        event["exception"] = describe_exception(error)
    event.pop("stack_info", None)
    return event


def _cut_asyncio(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Keep the first words of what asyncio says: after them it shows objects, and with them what an error says."""
    if str(event.get("logger", "")).startswith("asyncio"):
        event["event"] = _FIRST_WORDS.match(str(event["event"]))[0]  # type: ignore[index]  # it matches anything
    return event


def _render_text(_: WrappedLogger, __: str, event: EventDict) -> str:
    more = "".join(f" {name}={value}" for name, value in sorted(event.items()) if name not in _HEAD)
    return f"{event['timestamp']} {event['level'].upper()} {event['logger']}: {event['event']}{more}"


_FIRST_WORDS = re.compile(r"[^\n<(]*")
_HEAD = {"timestamp", "level", "logger", "event"}


def _clean(record: logging.LogRecord) -> bool:
    """Count a record, and take the text of exceptions out of what it is made of."""
    if isinstance(record.args, tuple):
        record.args = tuple(map(_name_exception, record.args))
    if record.levelno >= logging.WARNING:
        metrics.LOG_RECORDS.labels(record.levelname.lower()).inc()
    return True


def _name_exception(argument: object) -> object:
    strange = isinstance(argument, BaseException) and not isinstance(argument, SharingError)
    return type(argument).__name__ if strange else argument


def _on_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    log.critical("uncaught", exc_info=(kind, error.with_traceback(trace), trace))
