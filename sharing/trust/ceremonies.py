"""What the holders of a State's root keys make: roots, key statements, revocations. Nothing is signed here.

Each function returns the content that `documents.sign_document` signs. It raises `InputError` if a person asks for
something that a reader would refuse.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sharing.errors import InputError
from sharing.model.times import DAY_MS, format_time
from sharing.trust.documents import CLOCK_TOLERANCE_MS, INSTANT_MAX, INSTANT_MIN, make_content
from sharing.trust.key_statement import AHEAD_DAYS_MAX, KEYS_MAX, KeyStatement, TrustedKeys
from sharing.trust.online_key import OnlineKey, Revocation, count_kept_days
from sharing.trust.public_keys import KeyRole, PublishedKey
from sharing.trust.root import RootMetadata, TrustedRoot
from sharing.trust.verification import shorten


def make_first_root(
    state: str, keys: Iterable[PublishedKey], *, threshold: int, days: int, online_days_max: int, now: int
) -> RootMetadata:
    """Return the first root of a State.

    Raises:
        InputError: The threshold, the keys or the validity are not possible.
    """
    fields = {
        "state": state,
        "version": 1,
        "issued_at": now,
        "expires_at": now + days * DAY_MS,
        "threshold": threshold,
        "keys": tuple(keys),
        "online_days_max": online_days_max,
    }
    return make_content(RootMetadata, fields)


def make_next_root(
    trusted: TrustedRoot,
    *,
    added: Iterable[PublishedKey] = (),
    removed: Collection[str] = (),
    threshold: int | None = None,
    online_days_max: int | None = None,
    days: int,
    now: int,
) -> RootMetadata:
    """Return the root that follows.

    Args:
        trusted: The present root.
        added: Root keys to add.
        removed: Ids of root keys to remove.
        threshold: The new threshold; the present one if None.
        online_days_max: For how many days new online keys may be valid; as in the present root if None. Existing keys
            are not affected.
        days: For how many days it is valid.
        now: The time, in UTC milliseconds.

    Raises:
        InputError: A key to remove is not a root key; or the result is not valid.
    """
    present = trusted.metadata
    unknown = set(removed) - {key.key_id for key in present.keys}
    if unknown:
        raise InputError(
            f"{', '.join(sorted(map(shorten, unknown)))}: is not a root key; `sharing keys show` lists them"
        )
    fields = {
        "state": present.state,
        "version": present.version + 1,
        "issued_at": now,
        "expires_at": now + days * DAY_MS,
        "threshold": present.threshold if threshold is None else threshold,
        "keys": (*(key for key in present.keys if key.key_id not in removed), *added),
        "online_days_max": present.online_days_max if online_days_max is None else online_days_max,
    }
    return make_content(RootMetadata, fields)


def issue_keys(
    root: TrustedRoot,
    previous: TrustedKeys | None,
    new_keys: Mapping[KeyRole, tuple[PublishedKey, str]],
    *,
    days: int,
    now: int,
) -> KeyStatement:
    """Return the statement that adds one key for each of these roles, valid from now on.

    Args:
        root: The present root.
        previous: The present statement, if there is one.
        new_keys: For each role, the public key and the id of its successor.
        days: For how many days the new keys are valid. The statement is valid for as long as the root allows: if it
            ended with a key of a few days, all other keys would end with it.
        now: The time, in UTC milliseconds.

    Raises:
        InputError: The validity is longer than the root allows; or an earlier key is not valid yet.
    """
    if days > root.metadata.online_days_max:
        raise InputError(f"the root allows online keys for at most {root.metadata.online_days_max} days")
    added = []
    for role, (key, successor) in new_keys.items():
        listed = [] if previous is None else previous.statement.list_keys(role)
        valid_from = max([now, *(earlier.valid_from + 1 for earlier in listed)])  # even if the clock was set back
        if valid_from > now + CLOCK_TOLERANCE_MS:
            raise InputError(
                f"the last {role} key is valid only from {format_time(listed[-1].valid_from)}, and none can be valid "
                "before it: check the clock of this machine; or was it wrong when that key was issued?"
            )
        added.append(
            OnlineKey(
                algorithm=key.algorithm,
                public=key.public,
                role=role,
                valid_from=valid_from,
                valid_until=valid_from + days * DAY_MS,
                successor=successor,
            )
        )
    return _make_statement(root, previous, added=tuple(added), days=root.metadata.online_days_max, now=now)


def revoke_keys(
    root: TrustedRoot, previous: TrustedKeys, key_ids: Iterable[str], *, effective_at: int, days: int, now: int
) -> KeyStatement:
    """Return the statement that revokes keys.

    Raises:
        InputError: A key is neither listed nor named as a successor; or the time is too far in the future.
    """
    statement = previous.statement
    if effective_at > now + AHEAD_DAYS_MAX * DAY_MS:
        raise InputError(f"a revocation takes effect within {AHEAD_DAYS_MAX} days: until then the key counts")
    if not INSTANT_MIN <= effective_at <= INSTANT_MAX:
        raise InputError("a revocation takes effect in a year from 2000 to 2099")
    known = {key.key_id for key in statement.keys} | {key.successor for key in statement.keys}
    by_id = {item.key: item for item in statement.revocations}
    for key_id in key_ids:
        if key_id not in known:
            raise InputError(
                f"{shorten(key_id)} is neither an online key nor a successor; a root key is removed by "
                "`sharing keys rotate root --remove`"
            )
        earlier = by_id.get(key_id)
        effective = effective_at if earlier is None else min(effective_at, earlier.effective_at)
        by_id[key_id] = Revocation(key=key_id, effective_at=effective)
    return _make_statement(root, previous, revocations=tuple(by_id.values()), days=days, now=now)


def renew_statement(root: TrustedRoot, previous: TrustedKeys, *, days: int, now: int) -> KeyStatement:
    """Return a statement that says the same again, under the present root."""
    return _make_statement(root, previous, days=days, now=now)


def find_successor(keys: TrustedKeys, role: KeyRole, now: int) -> str | None:
    """Return the id of the key that must follow in a role at this instant.

    None if any key may, because no key binds the choice: there is none, or a revocation is in effect.
    """
    listed = keys.statement.list_keys(role)
    if not listed:
        return None
    last = listed[-1]
    is_free = any(keys.statement.is_revoked(key_id, now) for key_id in (last.key_id, last.successor))
    return None if is_free else last.successor


def _make_statement(
    root: TrustedRoot,
    previous: TrustedKeys | None,
    *,
    added: tuple[OnlineKey, ...] = (),
    revocations: tuple[Revocation, ...] | None = None,
    days: int,
    now: int,
) -> KeyStatement:
    statement = None if previous is None else previous.statement
    kept = (
        ()
        if statement is None
        else tuple(key for key in statement.keys if key.valid_until + count_kept_days(key.role) * DAY_MS > now)
    )
    if revocations is None:
        revocations = () if statement is None else statement.revocations
    if len(kept) + len(added) > KEYS_MAX:
        raise InputError(
            f"a key statement lists at most {KEYS_MAX} keys, those that have ended within a year included: rotate keys "
            "less often"
        )
    fields = {
        "state": root.state,
        "root_version": root.metadata.version,
        "version": 1 if statement is None else statement.version + 1,
        "issued_at": now,
        "expires_at": now + days * DAY_MS,
        "keys": (*kept, *added),
        "revocations": revocations,
    }
    return make_content(KeyStatement, fields)
