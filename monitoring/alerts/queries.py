"""Parts of queries that alerts about gates and desks share: labels, and the faults that suppress other alerts."""

from __future__ import annotations

JOB = 'job="sharing-gate"'
GATE = "job, state"
WORKER = "job, state, instance"

# A hung process lets a scrape run into its timeout; a process that has ended refuses the connection immediately.
HUNG = f"(up{{{JOB}}} == 0 and on ({WORKER}) scrape_duration_seconds{{{JOB}}} > <5s:seconds>)"
BROKER_UNREACHABLE = '(sharing_ready_check{check="broker"} == 0)'
# A worker whose batch does not balance exposes this counter until it was scraped once, and then exits.
UNBALANCED = f"(max by ({GATE}) (max_over_time(sharing_conservation_broken_total[<10m>])) > 0)"
# The worker refuses to decide, and exits once this was scraped.
CLOCK_WRONG = f'(min by ({GATE}) (min_over_time(sharing_ready_check{{check="clock"}}[<10m>])) == 0)'
# The loop that opens what other States send is apart from the gate's, and has alerts of its own.
GATE_TOPICS = 'topic!~"(exchange|checkpoints)[.].*|national[.][a-z]+[.](rulings|drafts)"'
INBOX_TOPICS = 'topic=~"(exchange|checkpoints)[.].*|national[.][a-z]+[.](rulings|drafts)"'
# Longer than Kafka's clients keep a transaction open by default. Only on the gate's topics: another State, which may
# hide what it sends, must not be able to silence the alerts about the gate.
HIDDEN = (
    f"(sharing_consumer_hidden_records{{{GATE_TOPICS}}} > 0 "
    f"and sharing_consumer_hidden_seconds{{{GATE_TOPICS}}} > <1m:seconds>)"
)
IDLE = f"(time() - max by ({WORKER}) (sharing_last_commit_timestamp_seconds) > <2m:seconds>)"


def hidden_for_long(client: str) -> str:
    """Return the query for partitions with a transaction that stays open, or with one after another."""
    records, seconds = f"sharing_{client}_hidden_records", f"sharing_{client}_hidden_seconds"
    return (
        f"{records} > 0 and {seconds} > <1m:seconds> "
        f"or min_over_time({records}[<5m>]) > 0 and max_over_time({seconds}[<5m>]) > <30s:seconds>"
    )


def targets_vanished(metric: str) -> str:
    """Select the gates or desks whose targets Prometheus no longer knows: a metric that each exposes is gone."""
    return f"group by ({GATE}) (last_over_time({metric}[1d]) unless on (job, instance) up) unless on ({GATE}) {metric}"
