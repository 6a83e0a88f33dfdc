"""Devices with passkeys, and what is expected when one is refused."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

import pytest

from sharing.passkeys.cose_key import PasskeyAlgorithm
from sharing.passkeys.faults import PASSKEY_SENTENCES, PasskeyError, PasskeyFault
from tests.support.soft_authenticator import SoftAuthenticator

EXAMPLES = int(os.environ.get("SHARING_EXAMPLES", "100"))
CHALLENGE = hashlib.sha256(b"what is to be signed").digest()
DEVICES = [SoftAuthenticator("phone", algorithm) for algorithm in PasskeyAlgorithm]
PHONE = DEVICES[0]


def expect_fault(fault: PasskeyFault, act: Callable[[], object]) -> None:
    """Expect a refusal for this reason, in one sentence."""
    with pytest.raises(PasskeyError) as caught:
        act()
    assert caught.value.fault is fault
    assert str(caught.value) == PASSKEY_SENTENCES[fault]
    assert caught.value.__cause__ is None
