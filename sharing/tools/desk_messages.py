"""Finds the messages of the desk's pages, and adds those that a translation lacks to its file.

    python -m sharing.tools.desk_messages             what each language lacks
    python -m sharing.tools.desk_messages PACKAGE     add what a package lacks to messages/<language>/<package>.po

What was translated already is kept, and so are messages that no file names: words of `sharing.console`, which pages
translate when they show them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

import sharing.desk
from sharing.desk.settings import LANGUAGES
from sharing.desk.web.catalogue import read_catalogues

DESK: Final = Path(sharing.desk.__file__).parent
SHELL: Final = "layout"
"""The file of the messages that belong to no package of pages."""

SENTENCES: Final = "said"
"""The file of the sentences that other packages of the project make: `sharing.sentences`."""

SENTENCE_PACKAGES: Final = ("console", "model", "rulings")
"""Those packages: the desk shows their sentences."""

PAGES: Final = frozenset({"asks", "rulings", "items", "intake", "followups", "supervision", "enrolment"})

FILES: Final = PAGES | {SHELL, SENTENCES}
"""Every file of messages of a language."""

_METHODS: Final = [
    ("**.py", "python"),
    ("templates/**.html", "jinja2"),
    ("templates/**.txt", "jinja2"),
    ("templates/**.md", "jinja2"),
]
_KEYWORDS: Final[dict[str, tuple[int, ...] | None]] = {
    "_": None,
    "translate": None,
    "mark_message": None,
    "say": None,
    "ngettext": (1, 2),
    "translate_plural": (1, 2),
}
_PLACEHOLDER: Final = re.compile(r"%\(\w+\)s")
_WIDTH: Final = 120

MessageId = str | tuple[str, str]


class MessagePlace(NamedTuple):
    """Where a message is.

    Attributes:
        file: The file, relative to the folder of the desk.
        line: The line, from 1.
    """

    file: str
    line: int

    @property
    def package(self) -> str:
        """The package of pages that it belongs to, or the shell."""
        parts = Path(self.file).parts
        if parts[0] == "..":
            return SENTENCES
        name = parts[1] if parts[0] == "templates" else parts[0]
        return name if name in PAGES else SHELL


def find_messages() -> dict[MessageId, list[MessagePlace]]:
    """Return the messages of the desk's code and templates, and the sentences of other packages, with their places."""
    found: dict[MessageId, list[MessagePlace]] = {}
    for file, line, message, _comments, _context in extract_from_dir(
        DESK, _METHODS, options_map={"templates/**": {"trimmed": "true", "silent": "false"}}, keywords=_KEYWORDS
    ):
        key: MessageId = (str(message[0]), str(message[1])) if isinstance(message, (tuple, list)) else str(message)
        found.setdefault(key, []).append(MessagePlace(file, line))
    for package in SENTENCE_PACKAGES:
        for file, line, sentence, _comments, _context in extract_from_dir(
            DESK.parent / package, [("**.py", "python")], keywords={"say": None}
        ):
            if _has_words(str(sentence)):
                found.setdefault(str(sentence), []).append(MessagePlace(f"../{package}/{file}", line))
    return found


def _has_words(template: str) -> bool:
    """Return whether a template has anything to translate apart from its values."""
    return any(character.isalpha() for character in _PLACEHOLDER.sub("", template))


def find_untranslated(language: str) -> dict[MessageId, list[MessagePlace]]:
    """Return the messages that a language lacks, with their places."""
    known = {
        message.id if isinstance(message.id, str) else tuple(message.id)
        for catalogue in read_catalogues(language)
        for message in catalogue
        if message.id and _is_complete(message.string) and not message.fuzzy
    }
    return {key: places for key, places in find_messages().items() if key not in known}


def add_missing(language: str, package: str) -> int:
    """Add the messages that a package lacks in a language to its file; return how many there were.

    Args:
        language: The language.
        package: A package of pages, `layout` for the shell, or `said` for the sentences of other packages.
    """
    path = DESK / "messages" / language / f"{package}.po"
    catalogue = _read(path, language)
    missing = {
        key: places
        for key, places in find_untranslated(language).items()
        if _choose_package(places) == package and key not in catalogue
    }
    for key in missing:
        catalogue.add(key)
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalogue, width=_WIDTH, sort_output=False, omit_header=True, no_location=True)
    return len(missing)


def _choose_package(places: list[MessagePlace]) -> str:
    """Return the package in whose file a message of several is: so it is translated once."""
    packages = {place.package for place in places}
    return next((name for name in (SHELL, SENTENCES) if name in packages), min(packages))


def _read(path: Path, language: str) -> Catalog:
    if path.is_file():
        with path.open("rb") as file:
            return read_po(file, locale=language)
    return Catalog(locale=language, project="sharing-bus", charset="utf-8", fuzzy=False)


def _is_complete(text: object) -> bool:
    return all(text) if isinstance(text, (tuple, list)) else bool(text)


def _describe(missing: Mapping[MessageId, list[MessagePlace]]) -> Iterator[str]:
    for key, places in sorted(missing.items(), key=lambda entry: entry[1][0]):
        yield f"{places[0].file}:{places[0].line}: {key if isinstance(key, str) else key[0]}"


def main(arguments: list[str]) -> int:
    """Run the program; return the exit code: 1 if something is not translated."""
    languages = LANGUAGES[1:]
    if not arguments:
        lines = [f"{language}: {line}" for language in languages for line in _describe(find_untranslated(language))]
        sys.stdout.writelines(f"{line}\n" for line in lines)
        return int(bool(lines))
    for package in arguments:
        if package not in FILES:
            sys.stderr.write(f"error: {package} is not a package of pages; use one of {', '.join(sorted(FILES))}\n")
            return 2
        for language in languages:
            sys.stdout.write(f"{language}/{package}.po: {add_missing(language, package)} added\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
