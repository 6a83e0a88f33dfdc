"""Patterns of the names that parties have in topics and records. They are not sealed, so each is a short code."""

from __future__ import annotations

AGENCY_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"
"""Pattern of an agency's id, which is part of topic names, principals and CNs of certificates."""

READER_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Pattern of the name that a reader chooses for itself in the record of uses."""

PURPOSE_PATTERN = r"^[a-z][a-z0-9-]{0,39}$"
"""Pattern of the code that states in that record why content was opened. The record is not sealed."""
