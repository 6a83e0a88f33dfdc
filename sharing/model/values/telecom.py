"""Telecommunication indicators: telephone numbers, and numbers of devices, subscribers and SIM cards."""

from __future__ import annotations

import re

import phonenumbers
from stdnum import imei, imsi, luhn

from sharing.model.values.text import Refused, require, squeeze
from sharing.model.values.value_type import ValueType, ValueTypeGroup

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
"""Shape of a normalised telephone number."""

_PHONE_INPUT = re.compile(r"\+[0-9][0-9 ().\-/]{5,40}")
_IMEI = re.compile(r"[0-9]{15}")
_IMSI = re.compile(r"[0-9]{14,15}")
_ICCID = re.compile(r"89[0-9]{17,18}")


def normalise_phone(text: str) -> str:
    """Return a telephone number as E.164 writes it.

    It must be written internationally, and lie in a range that its numbering plan assigns (libphonenumber's
    copy): a number that merely has a possible length would be routed to a State by its first digits alone.
    Ranges that some regulators keep for fiction are not assigned, and refused.

    Raises:
        ValueError: It is not such a number, or it has letters or an extension.
    """
    require(_PHONE_INPUT, text)
    try:
        number = phonenumbers.parse(text, None)
    except phonenumbers.NumberParseException:
        raise Refused("it does not start with + and a country calling code") from None
    if not phonenumbers.is_valid_number(number):
        raise Refused("its numbering plan assigns no such number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _imei(text: str) -> str:
    # The 14 digits without check digit and the 16 of an IMEISV name a device too, but making an IMEI of them
    # would be a conversion that the agency did not ask for.
    return str(imei.validate(require(_IMEI, squeeze(text))))


def _imsi(text: str) -> str:
    return str(imsi.validate(require(_IMSI, squeeze(text))))


def _iccid(text: str) -> str:
    return str(luhn.validate(require(_ICCID, squeeze(text))))


TELECOM_TYPES = (
    ValueType(
        "phone-number",
        ValueTypeGroup.TELECOM,
        "a telephone number written internationally, with + and the country calling code",
        "+12025550123",
        E164,
        normalise_phone,
        enumerable=True,
    ),
    ValueType(
        "imei",
        ValueTypeGroup.TELECOM,
        "the 15 digits of an IMEI with its check digit (an IMEISV of 16 is not one)",
        "490154203237518",
        _IMEI,
        _imei,
        enumerable=True,
    ),
    ValueType(
        "imsi",
        ValueTypeGroup.TELECOM,
        "the 14 or 15 digits of an IMSI, with a known mobile country code",
        "001010123456789",
        _IMSI,
        _imsi,
        enumerable=True,
    ),
    ValueType(
        "iccid",
        ValueTypeGroup.TELECOM,
        "the 19 or 20 digits of an ICCID, with 89 first and a check digit last",
        "8999900000000000006",
        _ICCID,
        _iccid,
    ),
)
