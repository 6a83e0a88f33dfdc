"""Reads recorded indicators from a range of a topic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from confluent_kafka import Message

from sharing.columnar.column_batch import ColumnBatch
from sharing.columnar.decoding import BulkDecoder
from sharing.columnar.indicators import IndicatorReader
from sharing.errors import DecodeError, InputError
from sharing.kafka.topic_range import TopicRange
from sharing.model.bad_batch import BadBatch
from sharing.replay.recorded_batch import LocatedRecord, ProgressCallback, RecordedBatch
from sharing.replay.sealed_records import SealedRecords
from sharing.serialization.codec import get_codec, read_schema_text


def read_topic_range(
    topic: TopicRange, name: str, report_progress: ProgressCallback, sealed: SealedRecords
) -> Iterator[RecordedBatch]:
    """Yield the indicators in a range of a topic. What no client can read is rejected, as one record for each batch.

    Args:
        topic: The range.
        name: The topic's name.
        report_progress: Called with the number of offsets read.
        sealed: Opens its sealed records.

    Raises:
        InfrastructureError: The broker denies access or does not respond for a minute.
    """
    decoder = BulkDecoder(get_codec("indicator"), read_schema_text("indicator"))
    done = 0
    for messages in topic.read_batches():
        yield _make_message_batch(messages, name, decoder, sealed)
        done += len(messages)
        report_progress(done)
    if topic.bad_batches:
        yield _make_unread_batch(topic.bad_batches, name)


def _make_unread_batch(batches: Sequence[BadBatch], name: str) -> RecordedBatch:
    def iter_records() -> Iterator[LocatedRecord]:
        for batch in batches:
            yield (
                f"{batch.partition}@{batch.first_offset}-{batch.last_offset}",
                InputError("the records of this batch cannot be decompressed, or become larger than is accepted"),
            )

    return RecordedBatch(name, 0, lambda reader, now_ms: (), iter_records)  # noqa: ARG005 nothing can be read


def _make_message_batch(
    messages: Sequence[Message], name: str, decoder: BulkDecoder, sealed: SealedRecords
) -> RecordedBatch:
    keys = [message.key() for message in messages]
    values, refused = sealed.open_values([message.value() for message in messages], keys)

    def read_columns(reader: IndicatorReader, now_ms: int) -> Iterable[ColumnBatch]:
        return reader.read_batch(values, keys, now_ms)

    def iter_records() -> Iterator[LocatedRecord]:
        for position, (message, key, record) in enumerate(zip(messages, keys, decoder.decode(values), strict=True)):
            location = f"{message.partition()}@{message.offset()}"
            if position in refused:
                yield location, InputError(refused[position])
            elif not isinstance(record, DecodeError) and key != record["id"].encode():
                yield location, InputError("id: must equal the record key")
            else:
                yield location, record

    return RecordedBatch(name, len(messages), read_columns, iter_records)
