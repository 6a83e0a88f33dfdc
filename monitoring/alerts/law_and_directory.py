"""Alerts about what a gate decides by: the law pack, the directory, and the keys of the State."""

from __future__ import annotations

from monitoring.alerts.queries import GATE, WORKER
from monitoring.rules import AlertRule, AlertSeverity

LAW_AND_DIRECTORY = (
    AlertRule(
        "SharingPackExpired",
        AlertSeverity.CRITICAL,
        f"max by ({GATE}) (sharing_pack_expiry_timestamp_seconds) <= time()",
        "5m",
        "The law pack has expired: none of its permissions is in force",
        "The gate withholds everything from every State until the State's law office provides a current pack.",
    ),
    AlertRule(
        "SharingPackExpiring",
        AlertSeverity.WARNING,
        f"max by ({GATE}) (sharing_pack_expiry_timestamp_seconds) - time() < 30 * 86400 "
        f"and max by ({GATE}) (sharing_pack_expiry_timestamp_seconds) > time()",
        "5m",
        "The law pack's last permission expires within 30 days",
        "From that day on the gate withholds everything from every State.",
    ),
    AlertRule(
        "SharingPackOutOfDate",
        AlertSeverity.WARNING,
        f"time() - min by ({GATE}) (sharing_pack_consolidated_timestamp_seconds) > 365 * 86400",
        "5m",
        "The law pack was last consolidated more than a year ago",
        "The law may have been amended since. The gate may disclose too much or too little.",
    ),
    AlertRule(
        "SharingPacksDiffer",
        AlertSeverity.WARNING,
        f"count by ({GATE}) (count by ({GATE}, sha256) (sharing_pack_info)) > 1",
        "5m",
        "Workers of the same gate apply different law packs",
        "The decision about an indicator depends on its partition.",
    ),
    AlertRule(
        "SharingDirectoryEmpty",
        AlertSeverity.CRITICAL,
        f'sharing_directory_entries == 0 unless on ({WORKER}) sharing_ready_check{{check="directory"}} == 0',
        "5m",
        "The directory has no entries",
        "The gate knows no receiving State, so it withholds everything.",
    ),
    AlertRule(
        "SharingDirectoryBehind",
        AlertSeverity.WARNING,
        f"count by ({GATE}) (count by ({GATE}, version) (sharing_directory_info)) > 1",
        "5m",
        "The workers of a gate apply different directories",
        "One of them decides with outdated authorities and interests. The decision about an indicator depends on its "
        "partition.",
    ),
    AlertRule(
        "SharingDirectoryUnreadable",
        AlertSeverity.CRITICAL,
        f"max by ({GATE}, entry) (sharing_directory_unreadable) > 0",
        "2m",
        "The directory topic of a State cannot be read",
        "The State has no entry, so the gate withholds everything from it. The other States are not affected.",
    ),
    AlertRule(
        "SharingDirectoryUnconfirmed",
        AlertSeverity.CRITICAL,
        f"max by ({GATE}, entry) (sharing_directory_unconfirmed) > 0",
        "2m",
        "Updates to a State's directory entry are refused",
        "The last entry that the State signed stays in force until it expires, then the gate withholds everything from "
        "it. Someone else may have written to the topic.",
    ),
    AlertRule(
        "SharingDirectoryStatementExpiring",
        AlertSeverity.CRITICAL,
        f"max by ({GATE}, entry) (sharing_directory_statement_expiry_timestamp_seconds) - time() < 12 * 3600",
        "5m",
        "The State's own directory statement is not renewed",
        "When it has expired, every other State withholds from this one and refuses what it sends.",
    ),
    AlertRule(
        "SharingKeysNeedAttention",
        AlertSeverity.WARNING,
        f"max by ({GATE}, urgent) (sharing_key_problems) > 0",
        "1h",
        "Keys of the State end soon, or need attention",
        "A key that has ended signs and opens nothing: then the gate decides nothing, or nothing is put into the "
        "inbox. A ceremony needs its holders, so it takes days.",
    ),
    AlertRule(
        "SharingDirectoryWithoutTopics",
        AlertSeverity.WARNING,
        f"max by ({GATE}, entry) (sharing_directory_without_topics) > 0",
        "5m",
        "A State in the directory has no topics on the cluster",
        "The gate withholds everything from it, and says so in each decision.",
    ),
    AlertRule(
        "SharingDirectoryStale",
        AlertSeverity.WARNING,
        f"time() - max by ({GATE}) (sharing_directory_announced_timestamp_seconds) > 365 * 86400 "
        f"and on ({GATE}) max by ({GATE}) (sharing_directory_entries) > 0",
        "5m",
        "No State has announced an entry for a year",
        "Contact points and interests may be out of date, or mirroring of the directory may have stopped.",
    ),
    AlertRule(
        "SharingDirectoryInvalidRecords",
        AlertSeverity.WARNING,
        f"max by ({GATE}) (sharing_directory_ignored_records) "
        f"> max by ({GATE}) (max_over_time(sharing_directory_ignored_records[<1h>] offset <5m>))",
        "",
        "The directory contains a new invalid record",
        "If it is the newest record of its State, the State has no entry, and the gates withhold everything from it.",
    ),
)
