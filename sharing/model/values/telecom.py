"""Telecommunication indicators: telephone numbers, and identifiers of devices, subscribers and SIM cards."""

from __future__ import annotations

import re

import phonenumbers
from stdnum import imei, imsi, luhn

from sharing.model.values.text import InvalidValueError, require_match, strip_separators
from sharing.model.values.value_type import ValueType, ValueTypeGroup
from sharing.sentences import say

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
"""Pattern of a normalised telephone number."""

_PHONE_INPUT = re.compile(r"\+[0-9][0-9 ().\-/]{5,40}")
_IMEI = re.compile(r"[0-9]{15}")
_IMSI = re.compile(r"[0-9]{14,15}")
_ICCID = re.compile(r"89[0-9]{17,18}")


def normalise_phone(text: str) -> str:
    """Return a telephone number in E.164 form.

    The number must be in international form, and in a range that its numbering plan assigns (libphonenumber's copy): a
    number with merely a possible length would be routed to a State by its first digits alone. Ranges that some
    regulators reserve for fiction are not assigned, so they are refused.

    Raises:
        ValueError: The number is not valid, or contains letters or an extension.
    """
    require_match(_PHONE_INPUT, text)
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        raise InvalidValueError(say("must start with + and a country calling code")) from None
    if not phonenumbers.is_valid_number(number):
        raise InvalidValueError(say("must be in a range that its numbering plan assigns"))
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _normalise_imei(text: str) -> str:
    # The 14 digits without a check digit, and the 16 of an IMEISV, identify a device too. They are not converted to an
    # IMEI, because the agency did not request that.
    return str(imei.validate(require_match(_IMEI, strip_separators(text))))


def _normalise_imsi(text: str) -> str:
    return str(imsi.validate(require_match(_IMSI, strip_separators(text))))


def _normalise_iccid(text: str) -> str:
    return str(luhn.validate(require_match(_ICCID, strip_separators(text))))


TELECOM_TYPES = (
    ValueType(
        "phone-number",
        ValueTypeGroup.TELECOM,
        "a telephone number in international form, with + and the country calling code",
        "+12025550123",
        E164,
        normalise_phone,
        enumerable=True,
    ),
    ValueType(
        "imei",
        ValueTypeGroup.TELECOM,
        "the 15 digits of an IMEI with its check digit (a 16-digit IMEISV is not accepted)",
        "490154203237518",
        _IMEI,
        _normalise_imei,
        enumerable=True,
    ),
    ValueType(
        "imsi",
        ValueTypeGroup.TELECOM,
        "the 14 or 15 digits of an IMSI, with a known mobile country code",
        "001010123456789",
        _IMSI,
        _normalise_imsi,
        enumerable=True,
    ),
    ValueType(
        "iccid",
        ValueTypeGroup.TELECOM,
        "the 19 or 20 digits of an ICCID, starting with 89 and ending with a check digit",
        "8999900000000000006",
        _ICCID,
        _normalise_iccid,
    ),
)
