"""`sharing audit`: the audit log, what can be proved to others, and what supervisors ask."""

from __future__ import annotations

import typer

from sharing.cli.audit.check_proof import check_proof_file
from sharing.cli.audit.prove import prove_item
from sharing.cli.audit.ruling import show_ruling
from sharing.cli.audit.subject import show_subject
from sharing.cli.audit.transfers import list_transfers
from sharing.cli.audit.uses import list_uses
from sharing.cli.audit.verify import verify_audit_logs
from sharing.cli.audit.witnessed import list_witnessed

app = typer.Typer(
    name="audit", help="The audit log: verify it, prove what is in it, and answer supervisors.", no_args_is_help=True
)
app.command("verify", short_help="Verify a State's audit logs: complete, in order, unchanged, witnessed.")(
    verify_audit_logs
)
app.command("prove", short_help="Export a decision, an act, or a received message with what proves it.")(prove_item)
app.command("check-proof", short_help="Check an exported proof without a broker, and say what it proves.")(
    check_proof_file
)
app.command("witnessed", short_help="List how far other States' logs were seen, and which have forked.")(list_witnessed)
app.command("transfers", short_help="Count what was sent: to whom, by which law, on which basis, when.")(list_transfers)
app.command("subject", short_help="Show where an item or a value went, and who opened it.")(show_subject)
app.command("ruling", short_help="Show what an officer has signed, and verify it.")(show_ruling)
app.command("uses", short_help="List who opened which content, and when.")(list_uses)
