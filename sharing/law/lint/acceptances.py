"""Accepted findings: the pack itself says which findings it accepts, and why.

An acceptance names a kind of finding, the rules, and the other rules if the finding names some, so that a new conflict
of the same rule is not covered by an old reason. Rules may be named together, by the prefix of their ids, only for
findings that many rules share for one reason. An error cannot be accepted. An acceptance that no longer matches any
finding is an error, so that the list never contains more than the pack needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from pydantic import TypeAdapter

from sharing.law.lint.findings import LintFinding, LintSeverity, join_names
from sharing.law.lint_codes import LintCode
from sharing.law.reading.pack_models import AcceptanceModel, names_rule
from sharing.yaml_files.source import KeyPath, YamlDocument

_KEY = "accepted"
_ADAPTER = TypeAdapter(list[AcceptanceModel])


def apply_acceptances(findings: Iterable[LintFinding], document: YamlDocument) -> list[LintFinding]:
    """Return the findings in a file with the reasons for which it accepts them, and its acceptances that match none.

    Args:
        findings: The findings.
        document: The file, which has been read as a pack or as common rules.
    """
    acceptances = _ADAPTER.validate_python(document.data.get(_KEY, []))
    listed = list(findings)
    return [
        *(_accept(finding, acceptances) for finding in listed),
        *_find_stale(listed, acceptances, document),
    ]


def _accept(finding: LintFinding, acceptances: Sequence[AcceptanceModel]) -> LintFinding:
    reasons = (entry.reason for entry in acceptances if _matches(finding, entry))
    return replace(finding, accepted=next(reasons, ""))


def _matches(finding: LintFinding, entry: AcceptanceModel) -> bool:
    return (
        finding.severity is not LintSeverity.ERROR
        and finding.code is entry.finding
        and any(names_rule(name, finding.rule) for name in entry.rules)
        and not _list_unnamed(finding, entry)
    )


def _list_unnamed(finding: LintFinding, entry: AcceptanceModel) -> list[str]:
    """Return the other rules of a finding that an acceptance does not name."""
    return [other for other in finding.others if not any(names_rule(name, other) for name in entry.others)]


def _find_stale(
    findings: Sequence[LintFinding], acceptances: Sequence[AcceptanceModel], document: YamlDocument
) -> Iterator[LintFinding]:
    """Yield each rule of an acceptance for which it matches no finding, and each other rule that no match names."""
    for index, entry in enumerate(acceptances):
        matched = [finding for finding in findings if _matches(finding, entry)]
        for position, rule in enumerate(entry.rules):
            if not any(names_rule(rule, finding.rule) for finding in matched):
                reason = _explain_stale(findings, entry, rule)
                yield _make_stale(document, (_KEY, index, "rules", position), rule, reason)
        named = {name for finding in matched for name in finding.others}
        for position, name in enumerate(entry.others):
            if matched and not any(names_rule(name, other) for other in named):
                sentence = f"no accepted {entry.finding} of these rules is about {name}: remove it"
                yield _make_stale(document, (_KEY, index, "with", position), entry.rules[0], sentence)


def _explain_stale(findings: Sequence[LintFinding], entry: AcceptanceModel, rule: str) -> str:
    same = [finding for finding in findings if finding.code is entry.finding and names_rule(rule, finding.rule)]
    if any(finding.severity is LintSeverity.ERROR for finding in same):
        return f"an error cannot be accepted: correct {entry.finding} of {rule}"
    others = sorted({name for finding in same for name in _list_unnamed(finding, entry)})
    if others:
        return f"{entry.finding} of {rule} is also about {join_names(others)}: name what is accepted under `with`"
    return f"the rule has no finding {entry.finding} any more: remove the acceptance"


def _make_stale(document: YamlDocument, path: KeyPath, rule: str, sentence: str) -> LintFinding:
    line = document.line_of(path)
    return LintFinding(LintSeverity.ERROR, LintCode.STALE_ACCEPTANCE, document.source, line, rule, sentence)
