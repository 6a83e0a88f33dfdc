"""Public keys: algorithms, roles, and the id that names a key everywhere."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from sharing.model.strict_model import StrictModel
from sharing.trust.canonical import encode_canonical

KeyId = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 of the canonical form of algorithm and public key, in hexadecimal digits. Also called a key's digest."""


class KeyAlgorithm(StrEnum):
    """What a key can do: Ed25519 signs; the others are HPKE key pairs, to which content is sealed."""

    ED25519 = "ed25519"
    X25519 = "x25519"
    MLKEM768_X25519 = "mlkem768-x25519"


PUBLIC_BYTES: Final = {
    KeyAlgorithm.ED25519: 32,
    KeyAlgorithm.X25519: 32,
    KeyAlgorithm.MLKEM768_X25519: 1184 + 32,  # ML-KEM-768, then X25519
}
"""Length of a public key."""


class KeyRole(StrEnum):
    """What an online key of a State is for."""

    GATE = "gate"
    CONVERSATION = "conversation"
    DIRECTORY = "directory"
    REGISTRAR = "registrar"
    DESK = "desk"
    SEAL = "seal"


ROLE_ALGORITHMS: Final = {
    **dict.fromkeys(KeyRole, (KeyAlgorithm.ED25519,)),
    KeyRole.SEAL: (KeyAlgorithm.MLKEM768_X25519, KeyAlgorithm.X25519),
}
"""The algorithms of each role, the default first. No algorithm both signs and opens."""


_FIELD_PRIME: Final = 2**255 - 19
_ORDER_8_Y: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y: Final = frozenset({0, 1, _FIELD_PRIME - 1, _ORDER_8_Y, _FIELD_PRIME - _ORDER_8_Y})
"""The y coordinates of the points of Ed25519 whose order divides 8."""


class PublishedKey(StrictModel):
    """A public key.

    An Ed25519 key of small order is refused: without any private key, signatures exist that verify under it for every
    message. So is one that is not in canonical form, since one key would have two ids.

    Attributes:
        algorithm: What it can do.
        public: The key, in hexadecimal digits.
    """

    algorithm: KeyAlgorithm
    public: Annotated[str, Field(pattern=r"^(?:[0-9a-f]{2})+$")]

    @model_validator(mode="after")
    def _check_length(self) -> Self:
        if len(self.public) != 2 * PUBLIC_BYTES[self.algorithm]:
            raise ValueError(f"a public key of {self.algorithm} has {PUBLIC_BYTES[self.algorithm]} bytes")
        if self.algorithm is KeyAlgorithm.ED25519 and _is_weak(bytes.fromhex(self.public)):
            raise ValueError("a public key under which anybody can sign is refused")
        return self

    @property
    def key_id(self) -> KeyId:
        """The id of the key."""
        return _compute_key_id(str(self.algorithm), self.public)


@lru_cache(maxsize=4096)
def _compute_key_id(algorithm: str, public: str) -> KeyId:
    return hashlib.sha256(encode_canonical({"algorithm": algorithm, "public": public})).hexdigest()


def _is_weak(public: bytes) -> bool:
    """Return whether an Ed25519 key is of small order, or not in canonical form (RFC 8032, section 5.1.3)."""
    y = int.from_bytes(public, "little") & (2**255 - 1)  # without the sign of x
    return y >= _FIELD_PRIME or y in _SMALL_ORDER_Y
