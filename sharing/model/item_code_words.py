"""The codes of an item in words: its type, what it may be used as, grades, handling and markings.

A code that is not known is shown as it is. Codes of decisions and answers: `code_words`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sharing.model.code_words import add_code
from sharing.sentences import Sentence, say

TYPE_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "artifact": say("file content"),
        "autonomous-system": say("autonomous system of the internet"),
        "bank-account-nr": say("account number at a bank"),
        "bic": say("BIC of a bank"),
        "btc-address": say("Bitcoin address"),
        "cc-bin": say("first digits of payment card numbers"),
        "cc-number": say("payment card number"),
        "coin-address": say("address of another cryptocurrency"),
        "company-number": say("number of a company in its register"),
        "domain-name": say("domain name"),
        "email-addr": say("e-mail address"),
        "email-message-id": say("Message-ID of an e-mail"),
        "file-md5": say("MD5 hash of a file"),
        "file-sha1": say("SHA-1 hash of a file"),
        "file-sha256": say("SHA-256 hash of a file"),
        "file-ssdeep": say("ssdeep hash of a file"),
        "file-tlsh": say("TLSH hash of a file"),
        "iban": say("IBAN"),
        "iccid": say("number of a SIM card (ICCID)"),
        "identity-card-number": say("identity card number"),
        "imei": say("number of a mobile device (IMEI)"),
        "imsi": say("number of a mobile subscriber (IMSI)"),
        "ipv4-addr": say("IPv4 address or network"),
        "ipv6-addr": say("IPv6 address or network"),
        "ja3-fingerprint-md5": say("JA3 fingerprint of a TLS connection"),
        "jabber-id": say("Jabber address"),
        "jarm-fingerprint": say("JARM fingerprint of a TLS server"),
        "mac-addr": say("MAC address of a network device"),
        "mutex": say("mutex of a program"),
        "network-traffic": say("network connection: protocol, host and port"),
        "onion-address": say("onion address in the Tor network"),
        "passport-number": say("passport number"),
        "pdq-hash": say("PDQ hash of an image"),
        "person": say("person: name and date of birth"),
        "pgp-public-key": say("OpenPGP public key"),
        "phone-number": say("telephone number"),
        "photodna-hash": say("PhotoDNA hash of an image"),
        "process": say("process: command line or name of a program"),
        "prtn": say("premium-rate telephone number"),
        "software": say("software"),
        "ssh-fingerprint": say("fingerprint of an SSH key"),
        "transaction-hash": say("hash of a cryptocurrency transaction"),
        "url": say("web address (URL)"),
        "user-account": say("user account on a platform"),
        "user-agent": say("User-Agent of a browser or program"),
        "vehicle-registration": say("vehicle registration number"),
        "vulnerability": say("vulnerability (CVE)"),
        "windows-registry-key": say("key of the Windows registry"),
        "x509-certificate": say("fingerprint of a certificate"),
        "xmr-address": say("Monero address"),
        "yara": say("YARA rule"),
    }
)
"""Types of items."""

FORM_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "INFORMATION": say("a lead, not evidence"),
        "EVIDENCE": say("evidence"),
        "EXISTENCE": say("only that something is held: a lead, not evidence"),
        "UNKNOWN": say("not stated; treat it as a lead, not as evidence"),
    }
)
"""What an item may be used as."""

ASSERTION_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "FACT": say("stated as a fact"),
        "ASSESSMENT": say("an assessment, not a fact"),
        "UNKNOWN": say("not stated whether fact or assessment"),
    }
)
"""Whether it is a fact."""

SUBJECT_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "SUSPECT": say("a suspect"),
        "CONVICTED": say("a convicted person"),
        "VICTIM": say("a victim"),
        "OTHER": say("another person, such as a witness"),
        "NONE": say("no person"),
        "UNKNOWN": say("not stated"),
    }
)
"""Whom it is about."""

SOURCE_GRADE_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "A": say("no doubt that the source is trustworthy"),
        "B": say("a source that was mostly reliable"),
        "C": say("a source that was mostly unreliable"),
        "X": say("the reliability of the source cannot be judged"),
    }
)
"""Grades of a source (Europol 4x4)."""

INFORMATION_GRADE_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "1": say("known to be true without reservation"),
        "2": say("known to the source personally, not to the officer"),
        "3": say("not known to the source personally, but supported by other information"),
        "4": say("not known to the source personally, and cannot be supported"),
    }
)
"""Grades of information (Europol 4x4)."""

ADMIRALTY_SOURCE_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "A": say("completely reliable source"),
        "B": say("usually reliable source"),
        "C": say("fairly reliable source"),
        "D": say("not usually reliable source"),
        "E": say("unreliable source"),
        "F": say("reliability of the source cannot be judged"),
    }
)
"""Grades of a source (Admiralty system)."""

ADMIRALTY_INFORMATION_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "1": say("confirmed by other sources"),
        "2": say("probably true"),
        "3": say("possibly true"),
        "4": say("doubtful"),
        "5": say("improbable"),
        "6": say("truth cannot be judged"),
    }
)
"""Grades of information (Admiralty system)."""

HANDLING_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "H0": say("only to prevent and combat crime"),
        "H1": say("not in court without permission"),
        "H2": say("not passed on without permission"),
        "H3": say("as the handling instructions say"),
    }
)
"""Handling codes."""

TLP_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "CLEAR": say("may be shared with anybody"),
        "GREEN": say("for the professional community only"),
        "AMBER": say("for your organisation and those it serves who need to know"),
        "AMBER+STRICT": say("for your organisation only, where it is needed"),
        "RED": say("for the named recipients only"),
    }
)
"""TLP: who may receive it."""

PAP_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "CLEAR": say("no limit on what you do with it"),
        "GREEN": say("active steps are permitted, such as blocking"),
        "AMBER": say("passive steps only, which the target cannot see"),
        "RED": say("nothing that could be noticed from outside"),
    }
)
"""PAP: what may be done with it."""

PURPOSE_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "PREVENTION": say("prevention"),
        "DETECTION": say("detection"),
        "INVESTIGATION": say("investigation"),
        "PROSECUTION": say("prosecution"),
        "EXECUTION": say("execution of sentences"),
        "PUBLIC_SECURITY": say("public security"),
        "UNKNOWN": say("not stated"),
    }
)
"""For what it is provided."""

URGENCY_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "ORDINARY": say("ordinary"),
        "URGENT": say("urgent"),
        "EMERGENCY": say("emergency"),
        "UNKNOWN": say("not stated"),
    }
)
"""How urgent it is."""

COLLECTION_WORDS: Final[Mapping[str, Sentence]] = MappingProxyType(
    {
        "OPEN_SOURCE": say("from open sources"),
        "VOLUNTARY": say("given voluntarily"),
        "SEARCH": say("found in a search"),
        "SUBSCRIBER_DATA": say("subscriber data"),
        "TRAFFIC_DATA": say("traffic data"),
        "CONTENT_DATA": say("content data"),
        "INTERCEPTION": say("from an interception"),
        "GRAND_JURY": say("from a grand jury"),
        "FIU_REPORT": say("from a report to a financial intelligence unit"),
        "TAX_RECORD": say("from tax records"),
        "TRADE_CONTROL": say("from trade control"),
        "UNDERCOVER": say("from an undercover measure"),
        "FOREIGN_STATE": say("from another State"),
        "UNKNOWN": say("not stated"),
    }
)
"""How it was obtained."""


def describe_type(value_type: str) -> str:
    """Return a type of items in words with its code; the code alone if it is not known."""
    return add_code(TYPE_WORDS, value_type)


def describe_form(form: str) -> str:
    """Return what an item may be used as, in words with its code; the code alone if it is not known."""
    return add_code(FORM_WORDS, form)
