"""Bank accounts and payment cards. Cryptocurrencies are in `cryptocurrency`."""

from __future__ import annotations

import re

from schwifty import BIC, IBAN
from stdnum import luhn

from sharing.model.values.telecom import E164, normalise_phone
from sharing.model.values.text import require_match, split_country_code, strip_separators
from sharing.model.values.value_type import ValueType, ValueTypeGroup

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_ACCOUNT = re.compile(r"[A-Z]{2}:(?=[A-Z]*[0-9])[A-Z0-9]{3,34}")
_BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_HEAD_OFFICE = "XXX"
_CARD = re.compile(r"[1-9][0-9]{11,18}")
_CARD_PREFIX = re.compile(r"[1-9][0-9]{5}(?:[0-9]{2})?")


def _normalise_iban(text: str) -> str:
    # schwifty accepts country codes outside ISO 3166-1 (XK); the first two letters of an IBAN need not be a State.
    return require_match(_IBAN, str(IBAN(strip_separators(text)).compact))


def _normalise_bank_account(text: str) -> str:
    country, account = split_country_code(text)
    return require_match(_ACCOUNT, f"{country}:{strip_separators(account).upper()}")


def _normalise_bic(text: str) -> str:
    # ISO 9362: branch code XXX denotes the head office, as does a BIC without a branch code.
    code = require_match(_BIC, str(BIC(strip_separators(text)).compact))
    return code if code[8:] != _HEAD_OFFICE else code[:8]


def _normalise_card_number(text: str) -> str:
    return str(luhn.validate(require_match(_CARD, strip_separators(text))))


FINANCE_TYPES = (
    ValueType(
        "iban",
        ValueTypeGroup.FINANCE,
        "an IBAN of a country in the IBAN registry, with its check digits",
        "GB82WEST12345698765432",
        _IBAN,
        _normalise_iban,
        enumerable=True,
    ),
    ValueType(
        "bank-account-nr",
        ValueTypeGroup.FINANCE,
        "an ISO 3166-1 alpha-2 country code, a colon, and an account number of letters and digits",
        "US:1234567890",
        _ACCOUNT,
        _normalise_bank_account,
        enumerable=True,
    ),
    ValueType(
        "bic",
        ValueTypeGroup.FINANCE,
        "a BIC (ISO 9362) of 8 or 11 characters; XXX as branch is dropped",
        "EXAMGB2L",
        _BIC,
        _normalise_bic,
    ),
    ValueType(
        "cc-number",
        ValueTypeGroup.FINANCE,
        "a payment card number of 12 to 19 digits, with its check digit",
        "4111111111111111",
        _CARD,
        _normalise_card_number,
        enumerable=True,
    ),
    ValueType(
        "cc-bin",
        ValueTypeGroup.FINANCE,
        "the first 6 or 8 digits of payment card numbers (ISO/IEC 7812)",
        "411111",
        _CARD_PREFIX,
        lambda text: require_match(_CARD_PREFIX, strip_separators(text)),
        enumerable=True,
    ),
    # MISP's name for it. Premium-rate fraud also uses ranges that no numbering plan marks as premium, so any number is
    # accepted; the type states what the number was used for.
    ValueType(
        "prtn",
        ValueTypeGroup.FINANCE,
        "a premium-rate telephone number in international form, with + and the country calling code",
        "+19005550123",
        E164,
        normalise_phone,
        enumerable=True,
    ),
)
