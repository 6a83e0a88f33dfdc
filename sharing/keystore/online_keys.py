"""A State's own keys for a program that runs: opened once, used often, and followed through rotations.

The folder is checked at each call, which costs two directory listings; it is read again only if something changed.
Opening a private key takes a third of a second, so each is opened once, when it is first needed, and dropped when it
has ended.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from types import MappingProxyType
from typing import Final, Self

from pydantic import SecretBytes, SecretStr

from sharing.errors import InputError
from sharing.keystore.key_access import KeyAccess, OpenKey, Token, require_seed_key
from sharing.keystore.key_folder import KeyFolder
from sharing.keystore.private_key import WRAP_ROLE, WrappingKeyName
from sharing.keystore.signing_choice import choose_signing_key, list_signing_keys
from sharing.model.times import DAY_MS
from sharing.seal.hpke import MemoryOpeningKey, OpeningKey
from sharing.trust.faults import TrustError, TrustFault
from sharing.trust.key_statement import TrustedKeys, require_permitted_change
from sharing.trust.online_key import KEEP_ENDED_DAYS, OnlineKey
from sharing.trust.public_keys import KeyAlgorithm, KeyId, KeyRole, PublishedKey
from sharing.trust.readers import ReaderList, require_current_readers
from sharing.trust.signatures import SigningKey
from sharing.trust.verification import get_current_key, shorten

_VERIFY_MS: Final = 1000
_Marks = tuple[tuple[int, tuple[str, ...]], ...]


class OnlineKeys:
    """The private keys of one State, as its programs use them. Its `repr` shows no secret. Threads may share it.

    Attributes:
        folder: The key folder.

    All methods take `now`, the time in UTC milliseconds, and raise:

    - `InputError` if the folder or a file in it is not as `sharing keys` writes it or belongs to another State, other
      users may access it, or the passphrase is wrong;
    - `TrustError` if a root or the key statement does not verify, or is older than one that was read before;
    - `InfrastructureError` if the token does not answer.
    """

    def __init__(self, folder: KeyFolder, access: KeyAccess, state: str | None = None) -> None:
        self.folder = folder
        self._access = access
        self._state = state
        self._marks: _Marks | None = None
        self._keys: TrustedKeys | None = None
        self._noticed: dict[KeyId, int] = {}
        self._signing: dict[KeyId, SigningKey] = {}
        self._opening: dict[KeyId, OpeningKey] = {}
        self._readers: ReaderList | None = None
        self._readers_version = 0
        self._readers_verified_at = 0
        self._wrapping_names: list[WrappingKeyName] = []
        self._wrapping: dict[KeyId, SecretBytes] = {}
        self._lock = RLock()
        self._find_published: Callable[[], TrustedKeys | None] = lambda: None

    @classmethod
    def open(
        cls,
        folder: Path,
        passphrase: SecretStr | None = None,
        token: Token | None = None,
        state: str | None = None,
    ) -> Self:
        """Return the keys in a folder. Nothing is read until it is needed.

        Args:
            folder: The State's key folder.
            passphrase: The passphrase of the private keys in files.
            token: The token that keeps private keys.
            state: The State whose keys they must be: those of another State are refused. None: any State.
        """
        return cls(KeyFolder(folder), KeyAccess(passphrase, token), state)

    def follow_published(self, find_published: Callable[[], TrustedKeys | None]) -> None:
        """Never sign with a key that the State has revoked in what it has published, no matter what the folder says.

        The folder may be an older copy, and other States refuse what a revoked key signs.

        Args:
            find_published: Returns the State's own newest key statement, as the directory has it; None if it was not
                read.
        """
        self._find_published = find_published

    def get_trusted_keys(self, now: int) -> TrustedKeys:
        """Return the State's own newest key statement, verified, whether or not it is valid now.

        Raises:
            InputError: There is none; or as the class says.
        """
        with self._lock:
            return self._read(now)

    def get_newest_keys(self, now: int) -> TrustedKeys:
        """Return the newest key statement, that of the folder or that of the directory, whether or not it is valid now.

        What officers and registrars have signed is verified by it.

        Raises:
            InputError: As `get_trusted_keys`.
        """
        with self._lock:
            keys, published = self._read(now), self._find_published()
            is_newer = published is not None and published.statement.version > keys.statement.version
            return published if published is not None and is_newer else keys

    def get_signing_key(self, role: KeyRole, now: int) -> SigningKey:
        """Return the key with which a role signs at this instant.

        It is the newest key in force. During the first five minutes after this program has noticed it, the previous key
        signs, if it is still in force: so other States learn of the new key before they see its first signature. If the
        revocation of a key is planned, another key signs from half a minute before it takes effect.

        Raises:
            InputError: The role does not sign, it has no key in force, or what the State has published revokes the key;
                or as the class says.
            TrustError: The root or the key statement has expired; or as the class says.
        """
        with self._lock:
            keys = self._read(now)
            key = get_current_key(keys, role, now)
            if key is None:
                raise InputError(f"{keys.state}: no {role} key is in force; run `sharing keys issue --role {role}`")
            if key.algorithm is not KeyAlgorithm.ED25519:
                raise InputError(f"the {role} key does not sign")
            staying = list_signing_keys(self.folder, keys, self._find_published(), role, now)
            settled = choose_signing_key(staying, self._noticed, now)
            if settled.key_id not in self._signing:
                self._signing[settled.key_id] = self._read_private_key(role, settled.key_id).to_signing_key()
            return self._signing[settled.key_id]

    def get_opening_keys(self, now: int) -> Mapping[KeyId, OpeningKey]:
        """Return the seal keys that can open what may still arrive, by their id.

        These are the keys that the statement names, except those that are revoked or ended more than 30 days ago:
        exchange topics keep nothing longer. A private key that ended and is not in the folder is left out; the one in
        force must be there.

        Raises:
            InputError: The private key of the seal key in force is not in the folder; or as the class says.
        """
        with self._lock:
            keys = self._read(now)
            found: dict[KeyId, OpeningKey] = {}
            for key in keys.statement.list_keys(KeyRole.SEAL):
                if not _is_needed(keys, key, now) or (key.valid_until < now and not self._has_opening_key(key.key_id)):
                    continue
                if key.key_id not in self._opening:
                    private = require_seed_key(self._read_private_key(key.role, key.key_id))
                    self._opening[key.key_id] = MemoryOpeningKey(key.algorithm, private.seed)
                found[key.key_id] = self._opening[key.key_id]
            return MappingProxyType(found)

    def get_readers(self, now: int) -> tuple[PublishedKey, ...]:
        """Return the public keys of the readers of the State's inbox, from the newest list in the folder.

        The list is verified again each second: its registrar key may have been revoked.

        Raises:
            InputError: There is no list; or as the class says.
            TrustError: The list does not verify, has expired, or is older than one that was read; or as the class says.
        """
        with self._lock:
            keys = self.get_newest_keys(now)
            if self._readers is None or not 0 <= now - self._readers_verified_at < _VERIFY_MS:
                self._readers = self.folder.read_readers(keys, now)
                self._readers_verified_at = now
            content = self._readers
            if content is None:
                raise InputError(f"{keys.state} has no list of readers; `sharing keys readers add` makes one")
            if content.version < self._readers_version:
                raise TrustError(
                    TrustFault.ROLLED_BACK,
                    f"{keys.state}: list of readers {content.version} is older than {self._readers_version}, which was "
                    "read before",
                )
            require_current_readers(content, now)
            self._readers_version = content.version
            return tuple(reader.key for reader in content.readers)

    def get_wrapping_key(self, now: int) -> tuple[KeyId, SecretBytes]:
        """Return id and value (32 bytes) of the newest wrapping key, which wraps the keys of items in own topics.

        Raises:
            InputError: There is none; or as the class says.
        """
        with self._lock:
            self._read(now)
            if not self._wrapping_names:
                raise InputError(f"{self.folder.path} has no wrapping key; `sharing keys rotate wrap` makes one")
            newest = self._wrapping_names[0].key_id
            return newest, self._read_wrapping_key(newest)

    def find_wrapping_key(self, key_id: KeyId, now: int) -> SecretBytes | None:
        """Return the value (32 bytes) of a wrapping key, new or old, or None if it is not in the folder."""
        with self._lock:
            self._read(now)
            is_known = any(name.key_id == key_id for name in self._wrapping_names)
            return self._read_wrapping_key(key_id) if is_known else None

    def __repr__(self) -> str:
        return f"OnlineKeys({str(self.folder.path)!r})"

    def __reduce__(self) -> str:
        raise TypeError("private keys are never copied or stored by pickle")

    def _read(self, now: int) -> TrustedKeys:
        """Return the newest key statement, after reading the folder again if something in it changed."""
        marks = self._read_marks()
        if self._keys is None or marks != self._marks:
            self._load(now)
            self._marks = marks  # taken first: the next call notices what changes in the meantime
        assert self._keys is not None  # noqa: S101 `_load` sets it or raises
        self._drop_ended(self._keys, now)
        return self._keys

    def _read_marks(self) -> _Marks:
        path = self.folder.path
        try:
            return tuple((folder.stat().st_mtime_ns, tuple(os.listdir(folder))) for folder in (path, path / "private"))  # noqa: PTH208 names, quickly
        except OSError as error:
            raise InputError(f"the key folder {path} cannot be read: {error.strerror}") from None

    def _load(self, now: int) -> None:
        exposed = self.folder.list_exposed()
        if exposed:
            raise InputError(f"other users may write to {exposed[0]}; restrict it with `chmod go-w {exposed[0]}`")
        keys = self.folder.read_keys(self.folder.read_roots())
        if keys is None:
            raise InputError(f"{self.folder.path} has no online keys; `sharing keys issue` makes them")
        if self._state is not None and keys.state != self._state:
            raise InputError(
                f"{self.folder.path} is the key folder of {keys.state}, and this is a program of {self._state}: "
                "correct SHARING_KEY_FOLDER or SHARING_STATE"
            )
        if self._keys is not None:
            require_permitted_change(self._keys, keys)
        noticed_at = 0 if self._keys is None else now  # after a start, it is unknown how long others have known it
        self._noticed = {key.key_id: self._noticed.get(key.key_id, noticed_at) for key in keys.statement.keys}
        self._wrapping_names = self.folder.list_wrapping_keys(keys.state)
        self._readers = None
        self._keys = keys

    def _drop_ended(self, keys: TrustedKeys, now: int) -> None:
        needed = {key.key_id for key in keys.statement.keys if _is_needed(keys, key, now)}
        for opened in (self._signing, self._opening):
            for key_id in opened.keys() - needed:
                del opened[key_id]

    def _has_opening_key(self, key_id: KeyId) -> bool:
        return key_id in self._opening or self.folder.locate_private_key(KeyRole.SEAL, key_id).exists()

    def _read_wrapping_key(self, key_id: KeyId) -> SecretBytes:
        if key_id not in self._wrapping:
            self._wrapping[key_id] = require_seed_key(self._read_private_key(WRAP_ROLE, key_id)).seed
        return self._wrapping[key_id]

    def _read_private_key(self, role: str, key_id: KeyId) -> OpenKey:
        if not self.folder.locate_private_key(role, key_id).exists():
            raise InputError(
                f"the private key of the {role} key {shorten(key_id)} is not in {self.folder.path / 'private'}; put "
                "it back, or revoke the key"
            )
        return self.folder.read_private_key(role, key_id, self._access)


def _is_needed(keys: TrustedKeys, key: OnlineKey, now: int) -> bool:
    kept_ms = KEEP_ENDED_DAYS * DAY_MS if key.role is KeyRole.SEAL else 0
    return now <= key.valid_until + kept_ms and not keys.statement.is_revoked(key.key_id, now)


def list_opening_key_ids(folder: KeyFolder, keys: TrustedKeys, now: int) -> frozenset[KeyId]:
    """Return the ids of the seal keys that can still open something, without opening a private key.

    Args:
        folder: The key folder.
        keys: The newest key statement in it.
        now: The time, in UTC milliseconds.
    """
    return frozenset(
        key.key_id
        for key in keys.statement.list_keys(KeyRole.SEAL)
        if _is_needed(keys, key, now) and folder.locate_private_key(KeyRole.SEAL, key.key_id).exists()
    )
