"""Measures the gate that signs and seals beside the gate without keys, on one broker and on the same indicators.

The directory has 193 States. Four gates alternate on new topics: one without keys; one that signs and seals what it
writes; one whose indicators are sealed too, which is what a worker with keys does unless its State runs its own
cluster; and the last one with the conversation in the same process. The others leave the conversation to another
process, as `SHARING_LOOPS` allows, which is not running. What they wrote is verified, opened and compared with what the
first one wrote.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any, Final

from sharing.seal.opening import MessageOpener
from sharing.seal.own_records import open_own_record
from sharing.topology.topic_kinds import TopicScope
from sharing.topology.topics import DRAFTS
from tests.bench.bench_cluster import BenchCluster
from tests.bench.engines import EngineRun, Engines
from tests.bench.names import GATE_GROUP, SOURCE_TOPIC, STATE, STATES, list_output_topics
from tests.bench.outputs import Fingerprints, read_outputs
from tests.bench.sealed_states import SealedStates, read_now
from tests.bench.workload import AGENCIES, make_indicators

VARIANTS: Final = ("plain", "signed", "sealed", "both loops")
"""Without keys; with sealed and signed outputs; with sealed indicators too; with the conversation in the process."""

_UNSEALED: Final = {"SHARING_SEAL_TO_WORKER": "false"}
_SEALED: Final = ("sealed", "both loops")
_GATE_ALONE: Final = {"SHARING_LOOPS": "gate"}
_COUNTS_KEY: Final = b"counts"


def measure_sealed_rates(
    cluster: BenchCluster, states: SealedStates, records: int, rounds: int, disclosed_share: float
) -> dict[str, Any]:
    """Return the rates of the gates, their ratios, memory, and the worker's CPU time for each indicator.

    Args:
        cluster: The cluster.
        states: The States.
        records: Number of indicators.
        rounds: Rounds that count, after one in which the broker compiles.
        disclosed_share: Share of the indicators that result in notices.

    Raises:
        ValueError: The gate with keys wrote something else than the gate without.
    """
    runs: dict[str, list[EngineRun]] = {variant: [] for variant in VARIANTS}
    written: dict[str, Fingerprints] = {}
    for number in range(1 + rounds):
        for variant in VARIANTS:
            run = run_variant(cluster, states, variant, records, disclosed_share)
            if number:
                runs[variant].append(run)
            if number == rounds:
                written[variant] = read_opened_outputs(cluster.bootstrap, states, sealed=variant != "plain")
            cluster.reset_group(GATE_GROUP)
    check_same_outputs(written)
    rates = {variant: [run.rate for run in runs[variant]] for variant in VARIANTS}
    return {
        "rounds": rates,
        "rates": {variant: statistics.median(rates[variant]) for variant in VARIANTS},
        "ratios": {
            variant: statistics.median(rate / plain for rate, plain in zip(rates[variant], rates["plain"], strict=True))
            for variant in VARIANTS[1:]
        },
        "rss_mb": {variant: max(run.usage.rss_mb for run in runs[variant]) for variant in VARIANTS},
        "cpu_ratios": {
            variant: statistics.median(
                plain.cpu_us / run.cpu_us for plain, run in zip(runs["plain"], runs[variant], strict=True)
            )
            for variant in VARIANTS[1:]
        },
        "cpu_us": {variant: statistics.median(run.cpu_us for run in runs[variant]) for variant in VARIANTS},
    }


def check_same_outputs(written: Mapping[str, Fingerprints]) -> None:
    """Check that each gate wrote the same as the gate without keys, for every indicator.

    Args:
        written: By variant, what was written, opened.

    Raises:
        ValueError: One wrote something else, so that its rate would be meaningless.
    """
    plain = written["plain"]
    for variant, fingerprints in written.items():
        different = plain.count_differences(fingerprints)
        if different or not plain.sums or plain.counts != fingerprints.counts:
            raise ValueError(
                f"the outputs of the {variant} gate differ from the plain one's for {different} indicators"
            )


def run_variant(
    cluster: BenchCluster, states: SealedStates, variant: str, records: int, disclosed_share: float
) -> EngineRun:
    """Run one gate on new topics."""
    states.reset(signed=variant != "plain")
    indicators = make_indicators(records, disclosed_share)
    cluster.write_records(SOURCE_TOPIC, states.seal_indicators(indicators) if variant in _SEALED else indicators)
    environment: dict[str, str] = {}
    if variant != "plain":
        # Nobody is asked for missing facts, so that all gates write the same drafts.
        environment = {**states.get_environment(STATE), "SHARING_FEEDS_NOT_ASKED": ",".join(AGENCIES)}
        environment |= _UNSEALED if variant == "signed" else {}
        environment |= _GATE_ALONE if variant != "both loops" else {}
    return Engines(cluster).run_gate(records, environment=environment)


def read_opened_outputs(bootstrap: str, states: SealedStates, *, sealed: bool) -> Fingerprints:
    """Return the fingerprints of what a gate wrote, after verifying and opening what is sealed.

    Raises:
        SealError: Something does not verify, or does not open.
    """
    now, trusted = read_now(), {STATE: states.trusted}
    openers = {state: MessageOpener(state) for state in STATES}
    opening_keys = {state: states.keys.states[state].online.get_opening_keys(now) for state in STATES}
    fingerprints, drafts_topic = Fingerprints(), DRAFTS.topic(STATE)
    own_keys = states.keys.states[STATE].online
    for message in read_outputs(bootstrap, list_output_topics()):
        topic, key, value = str(message.topic()), message.key() or b"", message.value() or b""
        if key == _COUNTS_KEY:
            continue
        if sealed and topic == drafts_topic:
            value = open_own_record(value, key, "draft", STATE, lambda key_id: own_keys.find_wrapping_key(key_id, now))
        elif sealed and topic.startswith(f"{TopicScope.EXCHANGE}."):
            _, code, kind = topic.split(".")
            state = code.upper()
            verified = openers[state].verify(value, trusted, now, topic=kind)
            value = openers[state].open(verified, opening_keys[state])
        fingerprints.add_record(topic, key, value)
    return fingerprints
