"""Cryptocurrency addresses and transactions.

The checksum is verified for Bitcoin, Monero and each chain in `ADDRESS_NORMALISERS`, with the codecs of base58-bech32
and the Keccak of pycryptodome; Solana addresses have no checksum. For any other chain only the characters are checked,
so a typing error is not detected and one address may have several spellings. A token is written with the chain that
carries it (USDT on Tron is `TRX:…`). Addresses of test networks are refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

from base58_bech32.base58 import b58decode, b58decode_check
from base58_bech32.bech32 import BECH32_1_CONST, BECH32_M_CONST, bech32_decode, convertbits
from base58_bech32.cashaddr import cashaddr_decode
from base58_bech32.ss58 import ss58_decode

from sharing.model.values.text import InvalidValueError, require_match
from sharing.model.values.value_type import ValueType, ValueTypeGroup
from sharing.sentences import say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_BASE58 = "1-9A-HJ-NP-Za-km-z"
_BTC = re.compile(rf"[13][{_BASE58}]{{25,34}}|bc1[ac-hj-np-z02-9]{{8,87}}")
_HASH160_BYTES = 20
_SEGWIT_MAX_LENGTH = 90  # BIP 173
_SEGWIT_MAX_VERSION = 16
_SEGWIT_BYTES = range(2, 41)
_SEGWIT_0_BYTES = {20, 32}

_XMR = re.compile(rf"[48][{_BASE58}]{{94}}(?:[{_BASE58}]{{11}})?")
_XMR_NETWORKS = {18, 19, 42}  # main network: standard, integrated, subaddress
_XMR_BLOCK, _XMR_ENCODED_BLOCK = 8, 11
_XMR_TAILS = {0: 0, 7: 5}  # characters of the shorter last block: bytes it encodes, for the two address lengths in use

_RIPPLE_ALPHABET = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
_EVM = re.compile(r"0x[0-9a-fA-F]{40}")
_TON_RAW = re.compile(r"(?:-1|0):[0-9a-f]{64}")
_TON_TAGS = {0x11, 0x51}  # bounceable or not; a test network adds 0x80
_STELLAR_ACCOUNT = 6 << 3

_COIN_ADDRESS = re.compile(r"[A-Z][A-Z0-9]{1,9}:[A-Za-z0-9._:-]{12,256}")
_UNKNOWN_CHAIN_ADDRESS = re.compile(r"[A-Za-z0-9._:-]{12,256}")
_CHAIN = re.compile(r"[A-Z][A-Z0-9]{1,9}")
_TRANSACTION = re.compile(rf"[A-Z][A-Z0-9]{{1,9}}:[0-9a-f]{{64}}|SOL:[{_BASE58}]{{64,88}}")
_HEX_HASH = re.compile(r"[0-9a-f]{64}")
_SIGNATURE_BYTES = 64


def _keccak256(data: bytes) -> bytes:
    from Crypto.Hash import keccak  # noqa: PLC0415 takes as long to import as all other values together

    return keccak.new(digest_bits=256, data=data).digest()


def _check_bech32(address: str, prefixes: set[str], checksum: int, sizes: set[int] | None = None) -> str:
    """Verify a bech32 address that encodes bytes, and return it in lower case."""
    prefix, digits, _ = bech32_decode(address, m=checksum)
    size = len(convertbits(digits, 5, 8, pad=False))
    if prefix not in prefixes or (sizes is not None and size not in sizes):
        raise InvalidValueError(say("must be an address of the chain"))
    return address.lower()


def _make_base58check_normaliser(*versions: bytes, alphabet: bytes | None = None) -> Callable[[str], str]:
    """Return a normaliser for Base58Check of one of these version prefixes and a 20-byte hash."""

    def normalise(address: str) -> str:
        raw = b58decode_check(address) if alphabet is None else b58decode_check(address, alphabet=alphabet)
        if raw[:-_HASH160_BYTES] not in versions:
            raise InvalidValueError(say("must be an address of the chain"))
        return address

    return normalise


def _normalise_segwit(address: str, expected_prefix: str) -> str:
    """Verify a witness program (BIP 141) in bech32 for version 0 and bech32m for later ones (BIP 350)."""
    prefix, digits, checksum = bech32_decode(address, limit=_SEGWIT_MAX_LENGTH)
    if prefix != expected_prefix or not digits or digits[0] > _SEGWIT_MAX_VERSION:
        raise InvalidValueError(say("must be a witness program of the main network"))
    version, size = digits[0], len(convertbits(digits[1:], 5, 8, pad=False))
    if size not in (_SEGWIT_BYTES if version else _SEGWIT_0_BYTES):
        raise InvalidValueError(say("the length does not match the witness version"))
    if checksum != (BECH32_M_CONST if version else BECH32_1_CONST):
        raise InvalidValueError(say("the checksum does not match the witness version"))
    return address.lower()


def _normalise_bitcoin(address: str) -> str:
    if address[:3].lower() == "bc1":
        return _normalise_segwit(address, "bc")
    return _make_base58check_normaliser(b"\x00", b"\x05")(address)


def _check_monero(address: str) -> str:
    """Verify a Monero address: Base58 in blocks of 8 bytes, Keccak-256 as checksum (CryptoNote CNS007)."""
    require_match(_XMR, address)
    raw = b""
    for start in range(0, len(address), _XMR_ENCODED_BLOCK):
        block = address[start : start + _XMR_ENCODED_BLOCK]
        size = _XMR_BLOCK if len(block) == _XMR_ENCODED_BLOCK else _XMR_TAILS[len(block)]
        number = int.from_bytes(b58decode(block), "big")
        if number.bit_length() > 8 * size:
            raise InvalidValueError(say("an encoded block is too large"))
        raw += number.to_bytes(size, "big")
    if raw[0] not in _XMR_NETWORKS or _keccak256(raw[:-4])[:4] != raw[-4:]:
        raise InvalidValueError(say("the checksum does not match"))
    return address


def _normalise_evm(address: str) -> str:
    """Return the address of an EVM chain with its EIP-55 checksum.

    An address in a single case has no checksum to verify.
    """
    digits = require_match(_EVM, address)[2:]
    hashed = _keccak256(digits.lower().encode()).hex()
    pairs = zip(digits.lower(), hashed[: len(digits)], strict=True)
    checksummed = "".join(digit.upper() if nibble in "89abcdef" else digit for digit, nibble in pairs)
    if digits not in (checksummed, digits.lower(), digits.upper()):
        raise InvalidValueError(say("the checksum does not match"))
    return f"0x{checksummed}"


def _normalise_bitcoin_cash(address: str) -> str:
    cashaddr_decode(address, prefix="bitcoincash")
    return address.lower().removeprefix("bitcoincash:")


def _normalise_litecoin(address: str) -> str:
    # Version 5 is refused: Litecoin scripts once shared it with Bitcoin, so it does not identify the chain.
    if address[:4].lower() == "ltc1":
        return _normalise_segwit(address, "ltc")
    return _make_base58check_normaliser(b"\x30", b"\x32")(address)


def _normalise_zcash(address: str) -> str:
    match address[:2].lower():
        case "zs":
            return _check_bech32(address, {"zs"}, BECH32_1_CONST, {43})
        case "u1":
            return _check_bech32(address, {"u"}, BECH32_M_CONST)
        case _:
            return _make_base58check_normaliser(b"\x1c\xb8", b"\x1c\xbd")(address)


def _normalise_bnb(address: str) -> str:
    return (
        _check_bech32(address, {"bnb"}, BECH32_1_CONST, {20})
        if address[:4].lower() == "bnb1"
        else _normalise_evm(address)
    )


def _check_solana(address: str) -> str:
    if len(b58decode(address, max_length=44)) != 32:  # noqa: PLR2004  a public key; there is no checksum
        raise InvalidValueError(say("must be 32 bytes in base58"))
    return address


def _make_ss58_normaliser(prefix: int) -> Callable[[str], str]:
    def normalise(address: str) -> str:
        if ss58_decode(address)[0] != prefix:
            raise InvalidValueError(say("must be an address of the chain"))
        return address

    return normalise


def _check_stellar(address: str) -> str:
    raw = base64.b32decode(address)
    checksum = binascii.crc_hqx(raw[:-2], 0).to_bytes(2, "little")  # CRC-16/XMODEM, SEP-23
    if len(raw) != 35 or raw[0] != _STELLAR_ACCOUNT or raw[-2:] != checksum:  # noqa: PLR2004  version, key, checksum
        raise InvalidValueError(say("the checksum does not match"))
    return address


def _normalise_ton(address: str) -> str:
    """Return a TON address in raw form (workchain:hash), to which both user-friendly forms are converted (TEP-2)."""
    if ":" in address:
        return require_match(_TON_RAW, address.lower())
    raw = base64.b64decode(address.replace("-", "+").replace("_", "/"), validate=True)
    checksum = binascii.crc_hqx(raw[:-2], 0).to_bytes(2, "big")
    if len(raw) != 36 or raw[0] not in _TON_TAGS or raw[-2:] != checksum:  # noqa: PLR2004  tag, workchain, hash
        raise InvalidValueError(say("the checksum does not match"))
    return require_match(_TON_RAW, f"{int.from_bytes(raw[1:2], 'big', signed=True)}:{raw[2:34].hex()}")


ADDRESS_NORMALISERS: Mapping[str, Callable[[str], str]] = {
    **dict.fromkeys(("ETH", "ETC", "MATIC", "POL", "ARB", "OP", "BASE", "BSC", "FTM"), _normalise_evm),
    "BNB": _normalise_bnb,
    "LTC": _normalise_litecoin,
    "DASH": _make_base58check_normaliser(b"\x4c", b"\x10"),
    "DOGE": _make_base58check_normaliser(b"\x1e", b"\x16"),
    "BCH": _normalise_bitcoin_cash,
    "TRX": _make_base58check_normaliser(b"\x41"),
    "XRP": _make_base58check_normaliser(b"\x00", alphabet=_RIPPLE_ALPHABET),
    "ZEC": _normalise_zcash,
    "SOL": _check_solana,
    "DOT": _make_ss58_normaliser(0),
    "KSM": _make_ss58_normaliser(2),
    "XLM": _check_stellar,
    "TON": _normalise_ton,
    "ATOM": lambda address: _check_bech32(address, {"cosmos"}, BECH32_1_CONST, {20, 32}),
}
"""Normalisers that verify addresses, by ticker of the chain."""

_DEDICATED_TYPES = {"BTC": "btc-address", "XMR": "xmr-address"}


def _split_chain(text: str) -> tuple[str, str]:
    chain, colon, identifier = text.partition(":")
    if not colon:
        raise InvalidValueError(say("must start with a chain and a colon"))
    return require_match(_CHAIN, chain.strip().upper()), identifier.strip()


def _normalise_coin_address(text: str) -> str:
    chain, address = _split_chain(text)
    if chain in _DEDICATED_TYPES:
        raise InvalidValueError(
            say("addresses of this chain must have the type %(type)s", type=_DEDICATED_TYPES[chain])
        )
    normaliser = ADDRESS_NORMALISERS.get(chain)
    normal = require_match(_UNKNOWN_CHAIN_ADDRESS, address) if normaliser is None else normaliser(address)
    return require_match(_COIN_ADDRESS, f"{chain}:{normal}")


def _normalise_transaction(text: str) -> str:
    chain, identifier = _split_chain(text)
    if chain == "SOL":  # a signature, not a hexadecimal hash
        if len(b58decode(identifier, max_length=88)) != _SIGNATURE_BYTES:
            raise InvalidValueError(say("must be 64 bytes in base58"))
        return f"{chain}:{identifier}"
    return f"{chain}:{require_match(_HEX_HASH, identifier.lower().removeprefix('0x'))}"


CRYPTOCURRENCY_TYPES = (
    ValueType(
        "btc-address",
        ValueTypeGroup.FINANCE,
        "a Bitcoin address of the main network with its checksum: base58 (1…, 3…), bech32 or bech32m (bc1…)",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        _BTC,
        _normalise_bitcoin,
    ),
    ValueType(
        "xmr-address",
        ValueTypeGroup.FINANCE,
        "a Monero address of the main network with its checksum: standard, integrated or subaddress",
        "41d7ke5VQnR2BDNSgrTE9j3X8QQ5Bnbbs4s3SMTX7y416CxUJqrTLW97YsWGEBnhxH8tnYDcX85QRAEhaAzrTSrZ89rbBUS",
        _XMR,
        _check_monero,
    ),
    ValueType(
        "coin-address",
        ValueTypeGroup.FINANCE,
        "the ticker of a chain other than BTC and XMR, a colon, and an address on it",
        "ETH:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        _COIN_ADDRESS,
        _normalise_coin_address,
    ),
    ValueType(
        "transaction-hash",
        ValueTypeGroup.FINANCE,
        "the ticker of a chain, a colon, and 64 hexadecimal digits (for SOL, a signature in base58)",
        "BTC:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        _TRANSACTION,
        _normalise_transaction,
    ),
)
