"""Composes the gate of a State's worker: the configuration of its loop, and what seals, opens and tells outcomes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from processors.agents.gate_keys import GateKeySource
from processors.audit.checkpoint_writer import CheckpointWriter
from processors.exactly_once.batch import OutputLimits
from processors.exactly_once.loop_config import LoopConfig
from processors.gate.outcome_blocks import OutcomeBlocks, OutcomeTopics
from processors.health.audit_observer import show_uncovered
from processors.sealing.amendment_opening import AmendmentOpening
from processors.sealing.indicator_opening import IndicatorOpening
from processors.sealing.loop_sealing import LoopSealing
from sharing.model.vocabulary import AuditLogName
from sharing.topology.topic_kinds import TopicScope
from sharing.topology.topics import AMENDMENTS, GATE_STATE, OUTCOMES, list_output_kinds
from sharing.trust.public_keys import KeyRole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from processors.exactly_once.batch import Batch, OutputRecord
    from processors.worker.worker_inputs import WorkerInputs
    from sharing.keystore.online_keys import OnlineKeys
    from sharing.trust.key_statement import TrustedKeys

COUNT_CHECK_SECONDS = 10.0
"""How often a gate that seals checks, while there are no indicators, whether it must state its counts or sign a
checkpoint."""


@dataclass(frozen=True, slots=True)
class GateSealing:
    """What a gate opens and seals with; without keys, nothing.

    Attributes:
        sealing: Seals and signs the outputs.
        opening: Opens the indicators.
        amendments: Opens the amendments.
    """

    sealing: LoopSealing | None = None
    opening: IndicatorOpening | None = None
    amendments: AmendmentOpening | None = None


def make_gate_config(inputs: WorkerInputs, on_statistics: Callable[[str], None]) -> LoopConfig:
    """Return the configuration of a gate's loop.

    Args:
        inputs: The worker's inputs.
        on_statistics: Called with the statistics of the loop's consumer, as JSON.
    """
    settings, identity = inputs.settings, inputs.identity
    return LoopConfig(
        bootstrap=inputs.bootstrap,
        topics=identity.topics,
        optional_topics=identity.optional_topics,
        changelog_topic=GATE_STATE.topic(identity.state),
        output_limits=OutputLimits(
            {kind.name: kind.max_message_bytes for kind in list_output_kinds()}
            | {f"{OUTCOMES.name}.{agency}": OUTCOMES.max_message_bytes for agency in identity.agencies},
            (f"{TopicScope.EXCHANGE}.", f"{TopicScope.NATIONAL}.{identity.state.lower()}."),
        ),
        group=identity.group,
        instance=f"{identity.group}.{settings.instance}",
        transactional_id=f"{identity.group}.{settings.instance}",
        batch_records_max=settings.batch_records_max,
        relies_on_compression=inputs.own_keys is None,  # sealed outputs do not compress
        transaction_timeout_s=settings.transaction_timeout_ms // 1000,
        session_timeout_s=settings.session_timeout_ms // 1000,
        start_timeout_s=settings.start_timeout_ms / 1000,
        client_properties=identity.client,
        on_statistics=on_statistics,
    )


def add_checkpoints(
    config: LoopConfig, inputs: WorkerInputs, own_keys: OnlineKeys
) -> tuple[LoopConfig, CheckpointWriter]:
    """Return the configuration of the loop of a gate with keys, and what signs the checkpoints of its audit log.

    Such a gate also reads amendments, runs even if nothing arrives, and signs a last checkpoint before it stops.
    """
    checkpoints = CheckpointWriter(inputs.state, AuditLogName.DECISIONS, inputs.framing)
    show_uncovered(checkpoints)
    config = replace(
        config,
        topics=(*config.topics, AMENDMENTS.topic(inputs.state)),
        idle_batch_s=COUNT_CHECK_SECONDS,
        last_outputs=partial(_write_last, checkpoints, own_keys),
    )
    return config, checkpoints


def make_outcomes(inputs: WorkerInputs) -> OutcomeBlocks | None:
    """Return what tells agencies what became of their items; None where it is switched off."""
    if not inputs.settings.tell_outcomes:
        return None
    return OutcomeBlocks(OutcomeTopics(inputs.state, inputs.identity.agencies), inputs.framing)


def open_gate_sealing(
    inputs: WorkerInputs, get_trusted_keys: Callable[[], Mapping[str, TrustedKeys]], clock: Callable[[], int]
) -> GateSealing:
    """Return what seals a gate's outputs, and what opens its indicators and its amendments.

    Args:
        inputs: The worker's inputs.
        get_trusted_keys: Returns the verified online keys of each State, as the directory has them now.
        clock: Returns the time in UTC milliseconds.

    Raises:
        SharingError: The opening keys cannot be read: a worker that cannot open anything does not start.
    """
    own_keys, state, framing = inputs.own_keys, inputs.state, inputs.framing
    if own_keys is None:
        return GateSealing()
    own_keys.get_opening_keys(clock())
    return GateSealing(
        LoopSealing(state, GateKeySource(own_keys, get_trusted_keys), secrets.token_bytes, framing=framing),
        IndicatorOpening(
            state,
            own_keys.get_opening_keys,
            framing=framing,
            accepts_unsealed=not inputs.settings.seal_to_worker,
        ),
        AmendmentOpening(state, own_keys.find_wrapping_key, framing=framing),
    )


def _write_last(checkpoints: CheckpointWriter, own_keys: OnlineKeys, batch: Batch) -> Iterator[OutputRecord]:
    """Yield what a gate writes before it stops: the checkpoints of what was committed."""
    return checkpoints.write_due(batch, own_keys.get_signing_key(KeyRole.GATE, batch.now_ms), is_last=True)
