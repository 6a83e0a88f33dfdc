"""Coin addresses and transactions on a chain.

The checksum is verified for Bitcoin, Monero and each chain in `CHAINS`, with the codecs of base58-bech32
and the Keccak of pycryptodome; Solana's addresses have none. For any other chain only the characters are
checked: there a slip of the pen goes through, and one address may be written in more than one way. A token
has the chain on which it moves (USDT on Tron is `TRX:…`). Test networks are refused.
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
from Crypto.Hash import keccak

from sharing.model.values.text import Refused, require
from sharing.model.values.value_type import ValueType, ValueTypeGroup

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
_XMR_TAILS = {0: 0, 7: 5}  # characters of the last, shorter block: bytes; those of the two lengths in use

_RIPPLE_ALPHABET = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
_EVM = re.compile(r"0x[0-9a-fA-F]{40}")
_TON_RAW = re.compile(r"(?:-1|0):[0-9a-f]{64}")
_TON_TAGS = {0x11, 0x51}  # bounceable or not; 0x80 more on a test network
_STELLAR_ACCOUNT = 6 << 3

_COIN = re.compile(r"[A-Z][A-Z0-9]{1,9}:[A-Za-z0-9._:-]{12,256}")
_UNKNOWN_CHAIN_ADDRESS = re.compile(r"[A-Za-z0-9._:-]{12,256}")
_CHAIN = re.compile(r"[A-Z][A-Z0-9]{1,9}")
_TRANSACTION = re.compile(rf"[A-Z][A-Z0-9]{{1,9}}:[0-9a-f]{{64}}|SOL:[{_BASE58}]{{64,88}}")
_HEX_HASH = re.compile(r"[0-9a-f]{64}")
_SIGNATURE_BYTES = 64


def _keccak256(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


def _bech32(address: str, parts: set[str], checksum: int, sizes: set[int] | None = None) -> str:
    """Verify an address that is bech32 of bytes, and return it in lower case."""
    part, digits, _ = bech32_decode(address, m=checksum)
    size = len(convertbits(digits, 5, 8, pad=False))
    if part not in parts or (sizes is not None and size not in sizes):
        raise Refused("it is not an address of the chain")
    return address.lower()


def _base58check(*versions: bytes, alphabet: bytes | None = None) -> Callable[[str], str]:
    """Return the rule for a version and a 20-byte hash in Base58Check."""

    def normalise(address: str) -> str:
        raw = b58decode_check(address) if alphabet is None else b58decode_check(address, alphabet=alphabet)
        if raw[:-_HASH160_BYTES] not in versions:
            raise Refused("it is not an address of the chain")
        return address

    return normalise


def _segwit(address: str, part: str) -> str:
    """Verify a witness program (BIP 141) in bech32 for version 0 and bech32m for later ones (BIP 350)."""
    found, digits, checksum = bech32_decode(address, limit=_SEGWIT_MAX_LENGTH)
    if found != part or not digits or digits[0] > _SEGWIT_MAX_VERSION:
        raise Refused("it is not a witness program of the main network")
    version, size = digits[0], len(convertbits(digits[1:], 5, 8, pad=False))
    if size not in (_SEGWIT_BYTES if version else _SEGWIT_0_BYTES):
        raise Refused("the length does not fit the witness version")
    if checksum != (BECH32_M_CONST if version else BECH32_1_CONST):
        raise Refused("the checksum is not that of the witness version")
    return address.lower()


def _bitcoin(address: str) -> str:
    if address[:3].lower() == "bc1":
        return _segwit(address, "bc")
    return _base58check(b"\x00", b"\x05")(address)


def _monero(address: str) -> str:
    """Verify a Monero address: Base58 in blocks of 8 bytes, Keccak-256 as checksum (CryptoNote CNS007)."""
    require(_XMR, address)
    raw = b""
    for start in range(0, len(address), _XMR_ENCODED_BLOCK):
        block = address[start : start + _XMR_ENCODED_BLOCK]
        size = _XMR_BLOCK if len(block) == _XMR_ENCODED_BLOCK else _XMR_TAILS[len(block)]
        number = int.from_bytes(b58decode(block), "big")
        if number.bit_length() > 8 * size:
            raise Refused("a block is too large")
        raw += number.to_bytes(size, "big")
    if raw[0] not in _XMR_NETWORKS or _keccak256(raw[:-4])[:4] != raw[-4:]:
        raise Refused("the checksum does not match")
    return address


def _evm(address: str) -> str:
    """Return an address of an Ethereum-like chain with the checksum of EIP-55.

    Written in one case it has no checksum to verify.
    """
    digits = require(_EVM, address)[2:]
    hashed = _keccak256(digits.lower().encode()).hex()
    pairs = zip(digits.lower(), hashed[: len(digits)], strict=True)
    checked = "".join(digit.upper() if nibble in "89abcdef" else digit for digit, nibble in pairs)
    if digits not in (checked, digits.lower(), digits.upper()):
        raise Refused("the checksum does not match")
    return f"0x{checked}"


def _bitcoin_cash(address: str) -> str:
    cashaddr_decode(address, prefix="bitcoincash")
    return address.lower().removeprefix("bitcoincash:")


def _litecoin(address: str) -> str:
    # Version 5, which Litecoin's scripts once shared with Bitcoin's, says nothing about the chain.
    if address[:4].lower() == "ltc1":
        return _segwit(address, "ltc")
    return _base58check(b"\x30", b"\x32")(address)


def _zcash(address: str) -> str:
    match address[:2].lower():
        case "zs":
            return _bech32(address, {"zs"}, BECH32_1_CONST, {43})
        case "u1":
            return _bech32(address, {"u"}, BECH32_M_CONST)
        case _:
            return _base58check(b"\x1c\xb8", b"\x1c\xbd")(address)


def _bnb(address: str) -> str:
    return _bech32(address, {"bnb"}, BECH32_1_CONST, {20}) if address[:4].lower() == "bnb1" else _evm(address)


def _solana(address: str) -> str:
    if len(b58decode(address, max_length=44)) != 32:  # noqa: PLR2004  a public key; there is no checksum
        raise Refused("it is not 32 bytes of base58")
    return address


def _ss58(prefix: int) -> Callable[[str], str]:
    def normalise(address: str) -> str:
        if ss58_decode(address)[0] != prefix:
            raise Refused("it is not an address of the chain")
        return address

    return normalise


def _stellar(address: str) -> str:
    raw = base64.b32decode(address)
    checksum = binascii.crc_hqx(raw[:-2], 0).to_bytes(2, "little")  # CRC-16/XMODEM, SEP-23
    if len(raw) != 35 or raw[0] != _STELLAR_ACCOUNT or raw[-2:] != checksum:  # noqa: PLR2004  version, key, checksum
        raise Refused("the checksum does not match")
    return address


def _ton(address: str) -> str:
    """Return a TON address in raw form, workchain:hash, which its two user-friendly forms share (TEP-2)."""
    if ":" in address:
        return require(_TON_RAW, address.lower())
    raw = base64.b64decode(address.replace("-", "+").replace("_", "/"), validate=True)
    checksum = binascii.crc_hqx(raw[:-2], 0).to_bytes(2, "big")
    if len(raw) != 36 or raw[0] not in _TON_TAGS or raw[-2:] != checksum:  # noqa: PLR2004  tag, workchain, hash
        raise Refused("the checksum does not match")
    return require(_TON_RAW, f"{int.from_bytes(raw[1:2], 'big', signed=True)}:{raw[2:34].hex()}")


CHAINS: Mapping[str, Callable[[str], str]] = {
    **dict.fromkeys(("ETH", "ETC", "MATIC", "POL", "ARB", "OP", "BASE", "BSC", "FTM"), _evm),
    "BNB": _bnb,
    "LTC": _litecoin,
    "DASH": _base58check(b"\x4c", b"\x10"),
    "DOGE": _base58check(b"\x1e", b"\x16"),
    "BCH": _bitcoin_cash,
    "TRX": _base58check(b"\x41"),
    "XRP": _base58check(b"\x00", alphabet=_RIPPLE_ALPHABET),
    "ZEC": _zcash,
    "SOL": _solana,
    "DOT": _ss58(0),
    "KSM": _ss58(2),
    "XLM": _stellar,
    "TON": _ton,
    "ATOM": lambda address: _bech32(address, {"cosmos"}, BECH32_1_CONST, {20, 32}),
}
"""Chains whose addresses are verified, by ticker."""

_OWN_TYPES = {"BTC": "btc-address", "XMR": "xmr-address"}


def _split_chain(text: str) -> tuple[str, str]:
    chain, colon, rest = text.partition(":")
    if not colon:
        raise Refused("it has no chain and colon first")
    return require(_CHAIN, chain.strip().upper()), rest.strip()


def _coin(text: str) -> str:
    chain, address = _split_chain(text)
    if chain in _OWN_TYPES:
        raise Refused(f"the chain has its own type {_OWN_TYPES[chain]}")
    rule = CHAINS.get(chain)
    written = require(_UNKNOWN_CHAIN_ADDRESS, address) if rule is None else rule(address)
    return require(_COIN, f"{chain}:{written}")


def _transaction(text: str) -> str:
    chain, identifier = _split_chain(text)
    if chain == "SOL":  # a signature, which is no hexadecimal hash
        if len(b58decode(identifier, max_length=88)) != _SIGNATURE_BYTES:
            raise Refused("it is not 64 bytes of base58")
        return f"{chain}:{identifier}"
    return f"{chain}:{require(_HEX_HASH, identifier.lower().removeprefix('0x'))}"


COIN_TYPES = (
    ValueType(
        "btc-address",
        ValueTypeGroup.FINANCE,
        "a Bitcoin address of the main network with its checksum: base58 (1…, 3…), bech32 or bech32m (bc1…)",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        _BTC,
        _bitcoin,
    ),
    ValueType(
        "xmr-address",
        ValueTypeGroup.FINANCE,
        "a Monero address of the main network with its checksum, standard, integrated or subaddress",
        "41d7ke5VQnR2BDNSgrTE9j3X8QQ5Bnbbs4s3SMTX7y416CxUJqrTLW97YsWGEBnhxH8tnYDcX85QRAEhaAzrTSrZ89rbBUS",
        _XMR,
        _monero,
    ),
    ValueType(
        "coin-address",
        ValueTypeGroup.FINANCE,
        "the ticker of a chain other than BTC and XMR, a colon, and an address on it",
        "ETH:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        _COIN,
        _coin,
    ),
    ValueType(
        "transaction-hash",
        ValueTypeGroup.FINANCE,
        "the ticker of a chain, a colon, and 64 hexadecimal digits (for SOL, a signature in base58)",
        "BTC:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        _TRANSACTION,
        _transaction,
    ),
)
