"""How each kind of fault of keys and seals is injected and repaired."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sharing.directory.announcements import encode_entry, make_announcement
from sharing.directory.statement import SCHEMA, sign_statement
from sharing.errors import InfrastructureError
from sharing.kafka.directory_topic import parse_entries
from sharing.kafka.ruling_writer import write_ruling
from sharing.keystore.pin_file import make_pinned_root, write_pins
from sharing.serialization.codec import get_codec
from sharing.serialization.framing import SINGLE_OBJECT_FRAMING
from sharing.testing.samples import sample_directory
from sharing.topology.topics import DIRECTORY, RULINGS
from sharing.trust.documents import CLOCK_TOLERANCE_MS
from sharing.trust.public_keys import KeyRole
from tests.faults.bus import BROKER, NETWORK, Bus
from tests.faults.gate_process import PARTITIONS, GateProcess
from tests.faults.log_injections import create_again
from tests.faults.schedule import STATES, Fault
from tests.faults.sealed.dying_worker import CONVERSE, KEEP, OPEN, SEAL
from tests.faults.sealed.forgeries import FORGERIES, publish_bad_indicators
from tests.faults.sealed.kinds import SealedFaultKind
from tests.faults.sealed.officer_journal import JournaledRuling
from tests.secure.secure_states import SecureState, read_now

PUBLISHED_S = 90.0
"""How long a worker may take to publish a newer key statement; normally a second or two."""

PLANNED_MS = 12_000
EXPIRES_MS = 3_000
FROZEN_S = (4.0, 10.0)
UNPINNED_S = (3.0, 8.0)
REFUSE_S = 240.0
DIE_S = 120.0
HOUR_MS = 3_600_000
PROCESSED_S = 180.0
OVERSIZED_BYTES = 120_000


def inject_sealed_fault(bus: Bus, fault: Fault) -> None:
    """Inject a fault of keys or seals."""
    _INJECTIONS[SealedFaultKind(fault.kind)](bus, fault)


def _find_state(bus: Bus, state: str) -> SecureState:
    assert bus.states is not None
    return bus.states[state]


def _rotate(role: KeyRole, bus: Bus, fault: Fault) -> None:
    _find_state(bus, fault.state).rotate(role)


def _revoke_at_once(bus: Bus, fault: Fault) -> None:
    """Rotate; when others know the new key, revoke the one before. What is under way is refused, and sent again."""
    key_id = _rotate_and_publish(bus, fault)
    _find_state(bus, fault.state).revoke(key_id)


def _plan_revocation(bus: Bus, fault: Fault) -> None:
    """Rotate, and revoke the key before some seconds ahead: nothing may be refused."""
    key_id = _rotate_and_publish(bus, fault)
    _find_state(bus, fault.state).revoke(key_id, read_now() + PLANNED_MS)


def _rotate_and_publish(bus: Bus, fault: Fault) -> str:
    """Rotate the gate key, and wait until it is in the directory; return the id of the key that was the newest."""
    for target in (BROKER, NETWORK, f"gate {fault.state}", f"directory {fault.state}"):
        bus.repair(target)  # so that the new key is published
    state = _find_state(bus, fault.state)
    before = state.list_keys(KeyRole.GATE)[-1].key_id
    state.rotate(KeyRole.GATE)
    version = state.read_statement().statement.version

    what = f"the worker of {fault.state} publishes key statement {version}"
    bus.wait_until(lambda: bus.has_published(fault.state, version), what, PUBLISHED_S)
    bus.supervise_for(6.0)  # others poll twice a second; this machine may be busy
    return before


def _expire_statement(bus: Bus, fault: Fault) -> None:
    """Put a statement in the directory that expires in a moment, as if nobody had renewed the last one for a day."""
    bus.repair(f"directory {fault.state}")
    state, now = _find_state(bus, fault.state), read_now()
    writer = state.open_writer(bus.bootstrap)
    writer.renew()
    announced = writer.statement
    assert announced is not None
    version = state.read_statement().statement.version
    content = make_announcement(
        fault.state, announced.content.entry, previous=announced, key_statement=version, now=now - 2 * HOUR_MS
    )
    content = replace(content, expires_at=now - CLOCK_TOLERANCE_MS + EXPIRES_MS)
    signed = sign_statement(content, state.open_online().get_signing_key(KeyRole.DIRECTORY, now))
    _write(
        bus, DIRECTORY.topic(fault.state), fault.state.encode(), SINGLE_OBJECT_FRAMING.frame(SCHEMA, signed.encode())
    )
    pause_s = random.Random(fault.seed).uniform(*FROZEN_S)
    bus.repair_later(
        EXPIRES_MS / 1000 + pause_s, f"directory {fault.state}", partial(_announce_again, bus, fault.state)
    )


def _announce_again(bus: Bus, code: str) -> None:
    (entry,) = (entry for entry in parse_entries(*sample_directory()) if entry.state == code)
    _find_state(bus, code).open_writer(bus.bootstrap).announce(encode_entry(entry))


def _unpin(bus: Bus, fault: Fault) -> None:
    """Restart a gate with a trust file that does not have one of the other States, and restore it later."""
    other = random.Random(fault.seed).choice([state for state in STATES if state != fault.state])
    bus.repair(f"pins {fault.state}")
    _restart_with_pins(bus, fault.state, [state for state in STATES if state != other])
    duration_s = random.Random(fault.seed).uniform(*UNPINNED_S)
    bus.repair_later(duration_s, f"pins {fault.state}", partial(_restart_with_pins, bus, fault.state, STATES))


def _restart_with_pins(bus: Bus, code: str, pinned: list[str] | tuple[str, ...]) -> None:
    bus.repair(f"gate {code}")
    gate = bus.gates[code]
    bus.stop_child(gate)
    assert bus.states is not None
    pins = {state: make_pinned_root(bus.states[state].pin, read_now()) for state in pinned}
    write_pins(bus.states.get_trust_file(code), pins)
    gate.start()


def _forge(kind: SealedFaultKind, bus: Bus, fault: Fault) -> None:
    """Write a forged, copied or altered message to a State's topic, with the cause that the inbox must state."""
    for target in (BROKER, NETWORK):
        bus.repair(target)
    assert bus.states is not None
    forgery = FORGERIES[kind](bus.bootstrap, bus.states, fault.state, random.Random(fault.seed))
    if forgery is None:
        bus.not_injected.append(f"{kind}: no message of {fault.state} could be copied yet")
        return
    _write(bus, forgery.topic, forgery.key, forgery.value, forgery.partition, forgery.cause)


def _forge_indicators(bus: Bus, fault: Fault) -> None:
    for target in (BROKER, NETWORK):
        bus.repair(target)
    state = _find_state(bus, fault.state)
    bus.publish_poison(fault.state, publish_bad_indicators(state, bus.seed, fault.seed))


def _start_with_wrong_passphrase(bus: Bus, fault: Fault) -> None:
    """Start a gate whose passphrase file is another one. It must say so and end, and the right one goes on."""
    folder = _find_state(bus, fault.state).folder
    wrong = folder / "wrong.pass"
    wrong.write_text("not the passphrase of these keys")
    wrong.chmod(0o600)
    changes = {"key_passphrase_file": str(wrong)}
    _start_denied(bus, fault, changes, "the passphrase is wrong")


def _start_without_token(bus: Bus, fault: Fault) -> None:
    """Start a gate whose keys should be in a token of which not even the library is there."""
    folder = _find_state(bus, fault.state).folder
    uri = f"pkcs11:token=absent?module-path={folder / 'absent.so'}&pin-source={folder / 'online.pass'}"
    _start_denied(bus, fault, {"key_token": uri, "key_passphrase_file": ""}, "absent")


def _start_denied(bus: Bus, fault: Fault, changes: dict[str, str], message: str) -> None:
    """Stop a gate, start it with other settings, and check that it ends with one sentence; then start the right one."""
    bus.repair(f"gate {fault.state}")
    gate = bus.gates[fault.state]
    bus.stop_child(gate)
    assert bus.states is not None
    settings = {**bus.states.make_settings(fault.state), **changes}
    name = f"gate-{fault.state.lower()}-denied-{fault.seed}"
    denied = GateProcess(bus.bootstrap, fault.state, gate.log.parent, name=name, **settings)
    denied.start()
    try:
        ended = bus.wait_until(lambda: denied.exit_code() is not None, f"{name} ends", REFUSE_S)
        text = denied.read_log_tail()
        if ended and (denied.exit_code() not in {2, 3} or message not in text or "Traceback" in text):
            bus.failures.append(f"{name} ended with code {denied.exit_code()}: {text[-600:]}")
    finally:
        denied.kill()
        gate.start()


def _kill_at(step: str, bus: Bus, fault: Fault) -> None:
    """Let a gate die within a transaction, right after it has sealed."""
    for target in (BROKER, NETWORK, f"gate {fault.state}"):
        bus.repair(target)
    gate = bus.gates[fault.state]
    trigger = bus.get_trigger_file(gate.name)
    trigger.write_text(step)
    deadline = time.monotonic() + DIE_S
    gate.should_run = False  # this death is on purpose
    while gate.exit_code() is None and time.monotonic() < deadline:
        bus.supervise_for(0.05)
    trigger.unlink(missing_ok=True)
    if gate.exit_code() is None:
        bus.not_injected.append(f"{fault.kind}: {gate.name} had nothing to {step} within {DIE_S:g} s")
        gate.should_run = True
        return
    gate.start()


def _kill_officers(bus: Bus, fault: Fault) -> None:
    officers = bus.officers[fault.state]
    officers.kill()
    officers.start()


def _write_bad_rulings(bus: Bus, fault: Fault) -> None:
    """Write what is no ruling where rulings are expected: each must be quarantined, and hold up nothing."""
    for target in (BROKER, NETWORK):
        bus.repair(target)
    rng = random.Random(fault.seed)
    header = get_codec(RULINGS.schema).header
    values = [b"", b"no ruling", header, header + rng.randbytes(300), bytes(OVERSIZED_BYTES)]
    if bus.states is not None:  # one that was altered on its way, and one that is no ruling inside
        sealed = bus.states[fault.state].seal_ruling(b"no ruling")
        values += [sealed, sealed[:-1] + bytes([sealed[-1] ^ 1])]
    partition = rng.randrange(PARTITIONS)
    keys = {partition: "no item"}
    for value in values:
        try:
            offset = write_ruling(bus.bootstrap, fault.state, value, keys)[partition]
        except InfrastructureError as error:
            bus.not_injected.append(f"{fault.kind}: {error}")
            continue
        line = JournaledRuling(f"none, at {partition}@{offset}", partition, offset, "nothing", must_fail=True)
        with bus.get_journal("officers", fault.state).open("ab", buffering=0) as journal:
            journal.write(line.to_line())


def _create_rulings_again(bus: Bus, fault: Fault) -> None:
    """Delete a State's topic of rulings, all of which were processed, and create it again while its gate is stopped."""
    bus.wait_until_healthy()
    bus.repair(f"gate {fault.state}")
    officers, gate = bus.officers[fault.state], bus.gates[fault.state]
    bus.stop_child(officers)
    topic = RULINGS.topic(fault.state)
    (rulings,) = [each for each in bus.list_offsets(fault.state) if each.topic == topic]
    bus.wait_until(lambda: rulings.count_unprocessed() == 0, f"{topic} is processed", PROCESSED_S)
    bus.stop_child(gate)
    create_again(bus, RULINGS, fault.state)
    officers.start()
    gate.start()


def _write(bus: Bus, topic: str, key: bytes, value: bytes, partition: int = 0, cause: str = "") -> None:
    bus.publish_raw(topic, key, value, partition, cause)


_INJECTIONS: dict[SealedFaultKind, Callable[[Bus, Fault], None]] = {
    SealedFaultKind.SEAL_KEY_ROTATED: partial(_rotate, KeyRole.SEAL),
    SealedFaultKind.GATE_KEY_ROTATED: partial(_rotate, KeyRole.GATE),
    SealedFaultKind.GATE_KEY_REVOKED: _revoke_at_once,
    SealedFaultKind.REVOCATION_PLANNED: _plan_revocation,
    SealedFaultKind.STATEMENT_EXPIRED: _expire_statement,
    SealedFaultKind.STATE_UNPINNED: _unpin,
    SealedFaultKind.INDICATOR_FORGED: _forge_indicators,
    SealedFaultKind.PASSPHRASE_WRONG: _start_with_wrong_passphrase,
    SealedFaultKind.TOKEN_MISSING: _start_without_token,
    SealedFaultKind.KILLED_SEALING: partial(_kill_at, SEAL),
    SealedFaultKind.KILLED_OPENING: partial(_kill_at, OPEN),
    SealedFaultKind.KILLED_KEEPING: partial(_kill_at, KEEP),
    SealedFaultKind.KILLED_CONVERSING: partial(_kill_at, CONVERSE),
    SealedFaultKind.OFFICERS_KILLED: _kill_officers,
    SealedFaultKind.RULING_MALFORMED: _write_bad_rulings,
    SealedFaultKind.RULINGS_AGAIN: _create_rulings_again,
    **{kind: partial(_forge, kind) for kind in FORGERIES},
}
