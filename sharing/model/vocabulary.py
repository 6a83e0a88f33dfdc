"""The vocabulary: closed lists of values for indicators, recipients and decisions.

The JSON form, the Avro enums and the law packs use the same names. Sources: STIX 2.1 and MISP for markings and types,
Europol's handling and evaluation codes, the Admiralty system, and the UN and Budapest cybercrime conventions for
offences. `UNKNOWN` is a distinct value; in a list that has it, a missing fact is `UNKNOWN`.
"""

from __future__ import annotations

from enum import StrEnum

UNKNOWN = "UNKNOWN"


class Tristate(StrEnum):
    """The answer to a yes-or-no question. UNKNOWN is never NO."""

    YES = "YES"
    NO = "NO"
    UNKNOWN = "UNKNOWN"


class Action(StrEnum):
    """What an agency does with an indicator."""

    PUBLISH = "PUBLISH"
    SUPERSEDE = "SUPERSEDE"
    WITHDRAW = "WITHDRAW"


class Form(StrEnum):
    """What is shared: information, evidence, or the mere existence of a holding."""

    INFORMATION = "INFORMATION"
    EVIDENCE = "EVIDENCE"
    EXISTENCE = "EXISTENCE"
    UNKNOWN = "UNKNOWN"


class Authority(StrEnum):
    """Kind of competent authority."""

    POLICE = "POLICE"
    PROSECUTOR = "PROSECUTOR"
    COURT = "COURT"
    CUSTOMS = "CUSTOMS"
    FIU = "FIU"
    TAX = "TAX"
    INTELLIGENCE = "INTELLIGENCE"
    OTHER = "OTHER"
    UNKNOWN = "UNKNOWN"


class Collection(StrEnum):
    """How the information was obtained: the coercive power behind it."""

    OPEN_SOURCE = "OPEN_SOURCE"
    VOLUNTARY = "VOLUNTARY"
    SEARCH = "SEARCH"
    SUBSCRIBER_DATA = "SUBSCRIBER_DATA"
    TRAFFIC_DATA = "TRAFFIC_DATA"
    CONTENT_DATA = "CONTENT_DATA"
    INTERCEPTION = "INTERCEPTION"
    GRAND_JURY = "GRAND_JURY"
    FIU_REPORT = "FIU_REPORT"
    TAX_RECORD = "TAX_RECORD"
    TRADE_CONTROL = "TRADE_CONTROL"
    UNDERCOVER = "UNDERCOVER"
    FOREIGN_STATE = "FOREIGN_STATE"
    UNKNOWN = "UNKNOWN"


class SubjectClass(StrEnum):
    """Class of data subject (Directive (EU) 2016/680 art. 6)."""

    SUSPECT = "SUSPECT"
    CONVICTED = "CONVICTED"
    VICTIM = "VICTIM"
    OTHER = "OTHER"
    NONE = "NONE"
    UNKNOWN = "UNKNOWN"


class Assertion(StrEnum):
    """Fact or personal assessment (Directive (EU) 2016/680 art. 7)."""

    FACT = "FACT"
    ASSESSMENT = "ASSESSMENT"
    UNKNOWN = "UNKNOWN"


class Handling(StrEnum):
    """Europol handling codes."""

    H0 = "H0"
    H1 = "H1"
    H2 = "H2"
    H3 = "H3"


class Tlp(StrEnum):
    """Traffic Light Protocol 2.0 (FIRST)."""

    CLEAR = "CLEAR"
    GREEN = "GREEN"
    AMBER = "AMBER"
    AMBER_STRICT = "AMBER+STRICT"
    RED = "RED"


class Pap(StrEnum):
    """Permissible Actions Protocol."""

    CLEAR = "CLEAR"
    GREEN = "GREEN"
    AMBER = "AMBER"
    RED = "RED"


class Purpose(StrEnum):
    """Purpose of processing."""

    PREVENTION = "PREVENTION"
    DETECTION = "DETECTION"
    INVESTIGATION = "INVESTIGATION"
    PROSECUTION = "PROSECUTION"
    EXECUTION = "EXECUTION"
    PUBLIC_SECURITY = "PUBLIC_SECURITY"
    UNKNOWN = "UNKNOWN"


class Urgency(StrEnum):
    """Urgency. EMERGENCY means a significant and imminent risk to life or safety (`sharing.model.urgency`)."""

    ORDINARY = "ORDINARY"
    URGENT = "URGENT"
    EMERGENCY = "EMERGENCY"
    UNKNOWN = "UNKNOWN"


class Character(StrEnum):
    """Matters that bar or restrict cooperation."""

    POLITICAL = "POLITICAL"
    MILITARY = "MILITARY"
    RELIGIOUS = "RELIGIOUS"
    RACIAL = "RACIAL"


class OffenceCode(StrEnum):
    """Legal offence codes: article of the UN convention / of the Budapest Convention."""

    ILLEGAL_ACCESS = "ILLEGAL_ACCESS"  # 7 / 2
    ILLEGAL_INTERCEPTION = "ILLEGAL_INTERCEPTION"  # 8 / 3
    DATA_INTERFERENCE = "DATA_INTERFERENCE"  # 9 / 4
    SYSTEM_INTERFERENCE = "SYSTEM_INTERFERENCE"  # 10 / 5
    MISUSE_OF_DEVICES = "MISUSE_OF_DEVICES"  # 11 / 6
    ICT_FORGERY = "ICT_FORGERY"  # 12 / 7
    ICT_FRAUD_THEFT = "ICT_FRAUD_THEFT"  # 13 / 8
    CHILD_ABUSE_MATERIAL = "CHILD_ABUSE_MATERIAL"  # 14 / 9
    CHILD_SOLICITATION = "CHILD_SOLICITATION"  # 15 / -
    INTIMATE_IMAGES = "INTIMATE_IMAGES"  # 16 / -
    LAUNDERING = "LAUNDERING"  # 17 / -
    COPYRIGHT = "COPYRIGHT"  # - / 10
    CORRUPTION = "CORRUPTION"  # UNCAC 15 to 25
    SANCTIONS_EVASION = "SANCTIONS_EVASION"  # national law; Directive (EU) 2024/1226
    OTHER_SERIOUS_CRIME = "OTHER_SERIOUS_CRIME"  # at least four years


class OffenceModifier(StrEnum):
    """Forms of participation and liability: article of the UN convention / of the Budapest Convention."""

    ATTEMPT_OR_PARTICIPATION = "ATTEMPT_OR_PARTICIPATION"  # 19 / 11
    LEGAL_PERSON = "LEGAL_PERSON"  # 18 / 12


class SourceGrade(StrEnum):
    """Europol 4x4: reliability of the source."""

    A = "A"
    B = "B"
    C = "C"
    X = "X"


class ConditionModel(StrEnum):
    """When conditions bind: accepted before content (Budapest art. 26), or attached to it (UNCAC art. 46(5))."""

    PRE_ACCEPT = "PRE_ACCEPT"
    ATTACHED_BINDING = "ATTACHED_BINDING"


class ConditionKind(StrEnum):
    """What a condition restricts."""

    CONFIDENTIALITY = "CONFIDENTIALITY"
    PURPOSE = "PURPOSE"
    NO_EVIDENCE = "NO_EVIDENCE"
    ONWARD_CONSENT = "ONWARD_CONSENT"
    RETENTION = "RETENTION"
    DELETE_OR_CORRECT = "DELETE_OR_CORRECT"
    REPORT_USE = "REPORT_USE"
    HANDLING = "HANDLING"
    OTHER = "OTHER"


class Nature(StrEnum):
    """What kind of text a rule encodes. A caution goes beyond the law that it cites, or fills a gap in it."""

    STATUTE = "statute"
    TREATY = "treaty"
    CASE_LAW = "case-law"
    POLICY = "policy"
    CAUTION = "caution"


class Effect(StrEnum):
    """The effect of a rule. The first five are in order of precedence; the last two do not change the outcome."""

    DENY = "DENY"
    APPROVAL = "APPROVAL"
    REDACT = "REDACT"
    CONDITION = "CONDITION"
    PERMIT = "PERMIT"
    OBLIGE = "OBLIGE"
    RECORD = "RECORD"


class Outcome(StrEnum):
    """The outcome for a State, from the most permissive to the most restrictive."""

    DISCLOSE = "DISCLOSE"
    OFFER = "OFFER"
    HOLD = "HOLD"
    WITHHOLD = "WITHHOLD"


class RelevanceKind(StrEnum):
    """Why a State is considered."""

    NEXUS_STATED = "NEXUS_STATED"
    NEXUS_DERIVED = "NEXUS_DERIVED"
    INTEREST = "INTEREST"
    OBLIGATION = "OBLIGATION"
    MATCH = "MATCH"


class NoticeKind(StrEnum):
    """What a notice does to the item at the receiving State."""

    ITEM = "ITEM"
    CORRECTION = "CORRECTION"
    RECALL = "RECALL"


class AmendmentKind(StrEnum):
    """What an amendment does.

    Attributes:
        FACTS: It states facts that were unknown: the answer to a SUPPLY_FACT.
        CORRECTION: It changes facts that were wrong.
        WITHDRAWAL: It withdraws the item.
    """

    FACTS = "FACTS"
    CORRECTION = "CORRECTION"
    WITHDRAWAL = "WITHDRAWAL"


class MessageKind(StrEnum):
    """What is sealed to another State. UNKNOWN is a kind of a later version, which a reader refuses."""

    NOTICE = "NOTICE"
    OFFER = "OFFER"
    REPLY = "REPLY"
    UNKNOWN = "UNKNOWN"

    @property
    def schema_name(self) -> str:
        """Name of the schema of the content."""
        return self.value.lower()


class NoticeLane(StrEnum):
    """Which topic carries a notice: `urgent` has its own, so that urgent notices never wait behind ordinary ones."""

    ORDINARY = "ordinary"
    URGENT = "urgent"


class AuditLogName(StrEnum):
    """A log of a State.

    Attributes:
        DECISIONS: What the gate has decided.
        ACTS: What the conversation has done.
    """

    DECISIONS = "DECISIONS"
    ACTS = "ACTS"

    @property
    def entry_schema(self) -> str:
        """Name of the schema of its entries."""
        return "decision" if self is AuditLogName.DECISIONS else "act"


class DeskKind(StrEnum):
    """What a record of the duty desk is.

    Attributes:
        UNSENT: An item that an officer has not published yet.
        PROFILE: Answers that an officer wants to give again.
        PRESERVATION: How long another State keeps something, after a request for preservation.
    """

    UNSENT = "UNSENT"
    PROFILE = "PROFILE"
    PRESERVATION = "PRESERVATION"
