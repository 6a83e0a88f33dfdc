"""`sharing audit`: what can be proved to others."""

from __future__ import annotations

import typer

from sharing.cli.audit.check_proof import check_proof_file
from sharing.cli.audit.prove import prove_message

app = typer.Typer(name="audit", help="Proofs of what was received: export one, and check one.", no_args_is_help=True)
app.command("prove", short_help="Export a notice or an offer with what proves it, signed as a COSE file.")(
    prove_message
)
app.command("check-proof", short_help="Check an exported proof, without a broker.")(check_proof_file)
