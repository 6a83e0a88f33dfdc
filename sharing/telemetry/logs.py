"""Logging: one line per event, as text on a terminal and as JSON elsewhere.

Lines contain ids, topics, partitions and offsets. The message of an unexpected exception may contain content of an
indicator. Therefore only the type and the code locations of an exception are written: in the log, and wherever Python
would print a traceback. If the process crashes in a library's native code, the code locations of all threads are
written as Python prints them.
"""

from __future__ import annotations

import faulthandler
import logging
import re
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Final

import structlog
from structlog.stdlib import ProcessorFormatter

from sharing.errors import SharingError
from sharing.kafka.clients import LIBRDKAFKA_LOGGER
from sharing.telemetry import worker_metrics

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

log = logging.getLogger(__name__)

FRAMES_MAX = 12

# The worker itself logs a failure once, so the messages of mode and Faust, with stack traces that do not help an
# operator, are suppressed.
_LEVELS_MIN: Final = {"mode": logging.CRITICAL + 1, "faust": logging.ERROR, "aiohttp.access": logging.WARNING}


def configure_logging(level: str | int, log_format: str = "auto") -> None:
    """Log to standard error. Does nothing if logging is already configured.

    Args:
        level: Lowest level that is logged, as a name or a number.
        log_format: `json`, `text`, or `auto`: text on a terminal, otherwise JSON.
    """
    root = logging.getLogger()
    if root.handlers:
        return
    number = logging.getLevelNamesMapping()[level.upper()] if isinstance(level, str) else level
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_make_formatter(as_json=as_json))
    handler.addFilter(_count_and_sanitise)
    root.addHandler(handler)
    root.setLevel(number)
    for name, minimum in _LEVELS_MIN.items():
        logging.getLogger(name).setLevel(max(minimum, number))
    # librdkafka's problems are also raised as errors, with our messages. Its own log is shown for debugging only.
    logging.getLogger(LIBRDKAFKA_LOGGER).propagate = number <= logging.DEBUG
    logging.captureWarnings(capture=True)
    if not faulthandler.is_enabled():
        faulthandler.enable(sys.__stderr__ or 2)
    sys.excepthook = _log_uncaught_exception
    threading.excepthook = lambda hook: _log_uncaught_exception(
        hook.exc_type, hook.exc_value or hook.exc_type(), hook.exc_traceback
    )
    sys.unraisablehook = lambda hook: _log_uncaught_exception(
        hook.exc_type, hook.exc_value or hook.exc_type(), hook.exc_traceback
    )


def describe_exception(error: BaseException) -> str:
    """Return an exception's type and code locations, and its message only if it is a `SharingError`."""
    summary = f"{type(error).__name__}: {error}" if isinstance(error, SharingError) else type(error).__name__
    locations = format_locations(traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:])
    text = f"{summary} at {locations}" if locations else summary
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return f"{text}; after {describe_exception(cause)}" if cause is not None else text


def format_locations(frames: Iterable[traceback.FrameSummary]) -> str:
    """Return where an exception passed through the code, on one line and without the code itself."""
    return " > ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)


def _make_formatter(*, as_json: bool) -> ProcessorFormatter:
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _format_exception,
        _truncate_asyncio_message,
    ]
    last: list[Processor] = (
        [structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=True)] if as_json else [_render_text]
    )
    return ProcessorFormatter(
        foreign_pre_chain=shared, processors=[ProcessorFormatter.remove_processors_meta, *last], use_get_message=True
    )


def _format_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the description of its exception."""
    exc_info: ExcInfo | BaseException | bool | None = event.pop("exc_info", None)
    error = exc_info if isinstance(exc_info, BaseException) else exc_info[1] if isinstance(exc_info, tuple) else None
    if error is not None:
        event["exception"] = describe_exception(error)
    event.pop("stack_info", None)
    return event


def _truncate_asyncio_message(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Keep only the first words of an asyncio message: it then prints objects, with the messages of exceptions."""
    if str(event.get("logger", "")).startswith("asyncio"):
        event["event"] = _FIRST_WORDS.match(str(event["event"]))[0]  # type: ignore[index]  # the pattern matches any text
    return event


def _render_text(_: WrappedLogger, __: str, event: EventDict) -> str:
    fields = "".join(f" {name}={value}" for name, value in sorted(event.items()) if name not in _HEAD)
    return f"{event['timestamp']} {event['level'].upper()} {event['logger']}: {event['event']}{fields}"


_FIRST_WORDS = re.compile(r"[^\n<(]*")
_HEAD = {"timestamp", "level", "logger", "event"}


def _count_and_sanitise(record: logging.LogRecord) -> bool:
    """Count a log record, and replace exceptions among its arguments by the names of their types."""
    if isinstance(record.args, tuple):
        record.args = tuple(map(_hide_exception_text, record.args))
    if record.levelno >= logging.WARNING:
        worker_metrics.LOG_RECORDS.labels(record.levelname.lower()).inc()
    return True


def _hide_exception_text(argument: object) -> object:
    is_foreign = isinstance(argument, BaseException) and not isinstance(argument, SharingError)
    return type(argument).__name__ if is_foreign else argument


def _log_uncaught_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    log.critical("uncaught exception", exc_info=(kind, error.with_traceback(trace), trace))
