"""A sheet with what a bank, or an exchange, needs to stop a payment or to hold what has arrived."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from schwifty import IBAN
from schwifty.exceptions import SchwiftyException

from sharing.followups.assembly import assemble_draft
from sharing.followups.context import FollowUpContext
from sharing.followups.document import (
    Blank,
    DraftField,
    DraftSection,
    FollowUpDocument,
    FollowUpKind,
    fill,
    fill_or_blank,
    leave_blank,
)
from sharing.followups.known import (
    fill_content,
    list_fact_fields,
    list_offence_fields,
    make_handling,
    make_references,
    make_requesting_fields,
    make_signature,
)
from sharing.followups.names import describe_state
from sharing.model.notice import Notice

PAYMENT_TYPES: Final = frozenset(
    {
        "iban", "bank-account-nr", "bic", "cc-number", "cc-bin", "btc-address", "xmr-address", "coin-address",
        "transaction-hash",
    }
)  # fmt: skip
"""Types of indicators that a payment goes to or comes from."""

_OUR_FILE: Final = "for our file, not for the bank"

_ACCOUNT_LABELS: Final = {
    "iban": "IBAN",
    "bank-account-nr": "Account number",
    "cc-number": "Card number",
    "cc-bin": "First digits of the card number",
    "btc-address": "Bitcoin address",
    "xmr-address": "Monero address",
    "coin-address": "Address, with its chain",
}


def draft_stop_payment(notice: Notice, context: FollowUpContext) -> FollowUpDocument:
    """Return the sheet: account, bank, amount, times and contact, filled or marked.

    Args:
        notice: The notice.
        context: What is known beyond it.
    """
    sections = (
        DraftSection("Account", tuple(_list_account(notice))),
        DraftSection("Payment", tuple(_list_payment(notice))),
        DraftSection("What is requested", _list_measure()),
        DraftSection("Contact", make_requesting_fields(context, "")),
        DraftSection("Offence", tuple(list_offence_fields(notice, "")), _OUR_FILE),
        DraftSection("Facts", tuple(list_fact_fields(notice, "")), _OUR_FILE),
        replace(make_references(notice, context), source=_OUR_FILE),
        make_handling(notice),
        make_signature(),
    )
    return assemble_draft(FollowUpKind.STOP_PAYMENT, "Stop-payment sheet", notice, context, sections)


def _list_account(notice: Notice) -> Iterator[DraftField]:
    content = notice.content
    value_type, value = content["type"], content["value"]
    label = _ACCOUNT_LABELS.get(value_type or "")
    if label is not None:
        yield fill_content(notice, "value", label, "the exact number", exact=True)
    else:
        yield leave_blank("Account", Blank.UNKNOWN, "IBAN, account number or address")
    is_account = value_type == "bank-account-nr" and value
    number = value.partition(":")[2] if is_account else None
    if number:
        yield fill("Number at the bank", number, exact=True)
    yield from _list_bank(value_type, value)
    yield leave_blank("Holder of the account", Blank.UNKNOWN, "if it is known")


def _list_bank(value_type: str | None, value: str | None) -> Iterator[DraftField]:
    iban = _read_iban(value) if value_type == "iban" and value else None
    check = "check it with the bank"
    bic = value if value_type == "bic" else None
    derived = None if iban is None or iban.bic is None else str(iban.bic)
    if derived is not None:
        yield fill("BIC, read from the IBAN", derived, exact=True, hint=check)
    else:
        yield fill_or_blank("BIC", bic, "of the bank that keeps the account", exact=True)
    name = None if iban is None else iban.bank_name
    if name:
        yield fill("Bank, read from the IBAN", name, hint=check)
    else:
        yield leave_blank("Bank, or provider of services for crypto-assets", Blank.UNKNOWN, "who can stop it")
    if iban is not None and iban.bank_code:
        yield fill("Bank code, read from the IBAN", iban.bank_code, exact=True)
    country = _find_country(value_type, value)
    name = None if country is None else describe_state(country)
    yield fill_or_blank("Country of the account", name, "where the account is kept")
    yield leave_blank("Contact of the bank", Blank.UNKNOWN, "its desk for fraud, at any hour")


def _read_iban(value: str) -> IBAN | None:
    try:
        return IBAN(value)
    except (SchwiftyException, ValueError):
        return None


def _find_country(value_type: str | None, value: str | None) -> str | None:
    if not value:
        return None
    match value_type:
        case "iban" | "bank-account-nr":
            return value[:2]
        case "bic":
            return value[4:6]
        case _:
            return None


def _list_payment(notice: Notice) -> Iterator[DraftField]:
    content = notice.content
    yield leave_blank("Amount and currency", Blank.UNKNOWN, "the notice has no field for it; see the facts")
    is_transaction = content["type"] == "transaction-hash"
    yield fill_or_blank(
        "Reference of the payment",
        content["value"] if is_transaction else None,
        "end-to-end reference, UETR or hash of the transaction",
        exact=True,
    )
    yield leave_blank(
        "Paid at", Blank.UNKNOWN, "with its time zone; when the notice saw the account is under the facts"
    )
    yield leave_blank("Payer, and the payer's bank", Blank.UNKNOWN, "name, account, reference of the bank")
    yield leave_blank("Payee", Blank.UNKNOWN, "as the payment order names it")
    yield leave_blank("Where the money went on to", Blank.UNKNOWN, "further accounts, if they are known")


def _list_measure() -> tuple[DraftField, ...]:
    return (
        leave_blank("Measure", Blank.JUDGEMENT, "recall of the payment, hold, or freezing of the account; until when"),
        leave_blank(
            "Legal basis", Blank.JUDGEMENT, "order of a court or prosecutor, or a voluntary measure of the bank"
        ),
        leave_blank("What the bank may tell the customer", Blank.JUDGEMENT, "nothing, or what, and from when on"),
        leave_blank("Reported to the financial intelligence unit", Blank.UNKNOWN, "when, with its reference"),
    )
