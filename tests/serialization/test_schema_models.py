"""Models, enumerations and docs say what the schemas say."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from sharing.law.redaction import CONTENT_FIELDS
from sharing.model import vocabulary
from sharing.model.decision import Decision, PackReference, RecipientDecision
from sharing.model.directory import DirectoryEntry
from sharing.model.indicator import Indicator
from sharing.model.recipient_terms import Condition, RecipientTerms, RuleReference, UndecidedRule
from sharing.model.relevance_reason import Reason
from sharing.serialization.codec import SCHEMA_NAMES, read_schema_text


def get_fields(schema: Any) -> dict[str, Any]:
    return {field["name"]: field for field in schema["fields"]}


def unwrap_type(schema_type: Any) -> Any:
    """Return the type inside a union with null, or the item type of an array."""
    if isinstance(schema_type, list):
        (schema_type,) = (part for part in schema_type if part != "null")
    return (
        unwrap_type(schema_type["items"])
        if isinstance(schema_type, dict) and schema_type["type"] == "array"
        else schema_type
    )


def find_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := find_model(part))), None)


def assert_same_fields(model: type[BaseModel], schema: Any) -> None:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    assert list(fields) == [field["name"] for field in schema["fields"]], model
    for name, field in fields.items():
        part = find_model(field.annotation)
        if part is not None:
            assert_same_fields(part, unwrap_type(get_fields(schema)[name]["type"]))


@pytest.mark.parametrize(("model", "name"), [(Indicator, "indicator"), (DirectoryEntry, "directory_entry")])
def test_the_model_has_the_fields_of_the_schema_in_the_same_order(model: type[BaseModel], name: str) -> None:
    assert_same_fields(model, json.loads(read_schema_text(name)))


def find_enums(schema: Any) -> dict[str, list[str]]:
    if isinstance(schema, list):
        return {name: symbols for part in schema for name, symbols in find_enums(part).items()}
    if not isinstance(schema, dict):
        return {}
    if schema.get("type") == "enum":
        return {schema["name"]: schema["symbols"]}
    return {name: symbols for part in schema.values() for name, symbols in find_enums(part).items()}


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_enums_have_the_members_of_the_vocabulary(name: str) -> None:
    for enum, symbols in find_enums(json.loads(read_schema_text(name))).items():
        members = [str(member) for member in getattr(vocabulary, enum)]
        assert symbols == members, enum


def test_the_decision_has_the_fields_of_its_schema() -> None:
    schema = json.loads(read_schema_text("decision"))
    recipient = unwrap_type(get_fields(schema)["recipients"]["type"])
    for value, part in (
        (Decision, schema),
        (PackReference, get_fields(schema)["pack"]["type"]),
        (RuleReference, unwrap_type(get_fields(recipient)["rules"]["type"])),
        (UndecidedRule, unwrap_type(get_fields(recipient)["undecided"]["type"])),
        (Condition, unwrap_type(get_fields(recipient)["conditions"]["type"])),
        (Reason, unwrap_type(get_fields(recipient)["relevance"]["type"])),
    ):
        assert set(value.__dataclass_fields__) == set(get_fields(part)), value
    # How many must approve is looked up in the law, by the rules that the decision names.
    unwritten = {"terms", "is_obligatory", "approvals"}
    fields = {*RecipientDecision._fields, *RecipientTerms.__dataclass_fields__} - unwritten
    assert fields | {"obligation"} == set(get_fields(recipient))


def test_the_content_has_the_fields_of_the_allow_list() -> None:
    schema = json.loads(read_schema_text("notice_content"))
    assert [field["name"] for field in schema["fields"]] == [*CONTENT_FIELDS, "relevance"]


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_every_doc_of_a_schema_is_text(name: str) -> None:
    def walk(part: Any) -> None:
        if isinstance(part, dict):
            assert isinstance(part.get("doc", ""), str), part
        for inside in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            walk(inside)

    walk(json.loads(read_schema_text(name)))
