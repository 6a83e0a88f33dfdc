"""Conditions in plain words: what they permit and what they forbid. The binding text stands beside the words.

Words belong to a code and to its exact text: another State can use a code for what it likes, and a pack can change its
text. Whatever differs from what this file knows is shown in its own words alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from sharing.model.recipient_terms import Condition


class ConditionWords(NamedTuple):
    """What one condition means. Each continues "You may" or "You may not".

    Attributes:
        may: What it leaves open.
        may_not: What it forbids.
    """

    may: str
    may_not: str


class ShownCondition(NamedTuple):
    """A condition as a page shows it.

    Attributes:
        condition: The condition, with its binding text.
        words: The same in plain words; None if nothing is known but its text.
    """

    condition: Condition
    words: ConditionWords | None


_LEAD: Final = "use it as a lead in your own investigation"
_WITHIN: Final = "use it within the authority that received it"
_PURPOSE: Final = "use it for the purpose for which it was provided"
_TEAM: Final = "show it to those who work on the case"
_UNTIL_NOTICE: Final = "use it as long as the State that provided it has not corrected or recalled it"
_ANYTHING_ELSE: Final = "use it for anything else"
_OTHER_WAY: Final = "use it in any other way"
_OTHER_PURPOSE: Final = "use it for any other purpose"
_OTHER_PURPOSE_CONSENT: Final = "use it for another purpose, unless the State that provided it consents"
_ONWARD: Final = "pass it to another State or body, unless the State that provided it consents"
_PUBLIC: Final = "make it public, or show it to others"
_UNCHANGED: Final = "keep it as it is once the State that provided it says that it must be corrected or deleted"
_DEATH: Final = ConditionWords(
    "use it in proceedings that cannot end in a death sentence",
    "use it in proceedings in which the death penalty may be imposed or carried out",
)
_NAPLES: Final = ConditionWords("use it for the purposes of the Naples II Convention", _OTHER_PURPOSE_CONSENT)

# fmt: off
_TABLE: Final[tuple[tuple[tuple[str, ...], str, ConditionWords], ...]] = (
    (("common.h0",),
     "Used only to prevent and combat crime.",
     ConditionWords("use it to prevent and combat crime", _ANYTHING_ELSE)),
    (("common.h1",),
     "Not used in judicial proceedings without the provider's permission.",
     ConditionWords(_LEAD, "use it in court proceedings, unless the State that provided it permits that")),
    (("common.h2",),
     "Not disseminated without the provider's permission.",
     ConditionWords(_WITHIN, "pass it on, unless the State that provided it permits that")),
    (("au.tia-180e.purpose",),
     "Used only for the purpose for which the data were provided.",
     ConditionWords(_PURPOSE, _OTHER_PURPOSE)),
    (("au.tia-180e.destroy",),
     "Every document or thing that holds the data is destroyed when they are no longer needed for that purpose.",
     ConditionWords(
         "keep it as long as it is needed for its purpose",
         "keep any document or thing that holds it once it is needed no longer")),
    (("eu.charter-19.use", "au.macma-8-1a", "ca.charter-7.use", "ch.imac-37-3.assurance",
      "de.irg-8.use", "fr.constitution-66-1.use", "gb.osja-assurance", "nl.uitleveringswet-8.use"),
     "Not used in proceedings in which the death penalty may be imposed or carried out.",
     _DEATH),
    (("au.ca-3zqu.use",),
     "Used only to prevent, investigate or prosecute an offence.",
     ConditionWords("use it to prevent, investigate or prosecute an offence", _ANYTHING_ELSE)),
    (("au.app-6.purpose", "ca.pa-8-2-f.purpose"),
     "Used only for the purpose for which it was disclosed; another use needs the provider's consent.",
     ConditionWords(_PURPOSE, _OTHER_PURPOSE_CONSENT)),
    (("au.afp-60a",),
     "Not passed on, and not used in court, without the consent of the Australian Federal Police.",
     ConditionWords(_WITHIN, "pass it on or use it in court, unless the Australian Federal Police consents")),
    (("ca.pcmltfa-56-3.purpose",),
     ("Used only to investigate or prosecute laundering, financing of terrorism, evasion of sanctions or a "
      "like offence."),
     ConditionWords(
         ("use it to investigate or prosecute laundering, financing of terrorism, evasion of sanctions or a "
          "like offence"),
         _ANYTHING_ELSE)),
    (("ca.pcmltfa-56-3.confidential",),
     "Treated in confidence.",
     ConditionWords(_TEAM, _PUBLIC)),
    (("ca.pcmltfa-56-3.onward",),
     "Not disclosed further without the express consent of FINTRAC.",
     ConditionWords(_WITHIN, "disclose it further, unless FINTRAC expressly consents")),
    (("ca.rcmp-caveat",),
     "Lent in confidence; not passed on, reclassified or used in court without the provider's consent.",
     ConditionWords(
         _WITHIN,
         "pass it on, reclassify it or use it in court, unless the State that provided it consents")),
    (("ch.imac-67a-5.lead-only",),
     ("Used only to prepare a request for assistance to Switzerland, or to avert an immediate danger to life; "
      "not used as evidence."),
     ConditionWords(
         "use it to prepare a request for assistance to Switzerland, or to avert an immediate danger to life",
         "use it as evidence, or for anything else")),
    (("ch.imac-67.speciality",),
     ("Not used to investigate or to prove political, military or fiscal offences; any other use beyond the "
      "stated offence needs the consent of the Federal Office of Justice."),
     ConditionWords(
         "use it for the stated offence",
         ("use it for political, military or fiscal offences; nor beyond the stated offence, unless the "
          "Federal Office of Justice consents"))),
    (("ch.fd-2006-960-1.evidence",),
     "Not used as evidence before a court without the consent of the competent Swiss authority.",
     ConditionWords(_LEAD, "use it as evidence in court, unless the competent Swiss authority consents")),
    (("ch.fd-2006-960-8.purpose",),
     ("Used only for the stated purpose or to avert an immediate and serious danger to public security; other "
      "use and passing on need consent."),
     ConditionWords(
         "use it for the stated purpose, or to avert an immediate and serious danger to public security",
         "use it otherwise or pass it on, unless the State that provided it consents")),
    (("ch.amla-30.purpose",),
     ("Used only to analyse money laundering, its predicate offences, organised crime and the financing of "
      "terrorism."),
     ConditionWords(
         ("use it to analyse money laundering, its predicate offences, organised crime and the financing of "
          "terrorism"),
         _ANYTHING_ELSE)),
    (("ch.amla-30.onward",),
     "Not passed to a third party without the express consent of the Swiss reporting office.",
     ConditionWords(_WITHIN, "pass it to a third party, unless the Swiss reporting office expressly consents")),
    (("de.irg-61a-2-a",),
     "Deleted or reviewed for deletion within the periods of German law that the provider states.",
     ConditionWords(
         "keep it within the periods that Germany has stated",
         "keep it longer without looking whether it must be deleted")),
    (("de.irg-61a-2-b", "us.usc-5-552a-b-3.purpose"),
     "Used only for the purpose for which they were sent.",
     ConditionWords(_PURPOSE, _OTHER_PURPOSE)),
    (("de.irg-61a-2-c",),
     "Deleted or corrected at once when the provider gives notice.",
     ConditionWords(_UNTIL_NOTICE, _UNCHANGED)),
    (("eu.dir-2023-977-1-4", "de.dir-2023-977.no-evidence",
      "fr.dir-2023-977.no-evidence",
      "nl.dir-2023-977.no-evidence"),
     "Not used as evidence in court without the provider's consent.",
     ConditionWords(_LEAD, "use it as evidence in court, unless the State that provided it consents")),
    (("de.irg-77e.onward", "fr.lil-112.onward", "nl.led-35.onward", "us.third-party.onward"),
     "Not passed to another State or body without the provider's consent.",
     ConditionWords(_WITHIN, _ONWARD)),
    (("eu.naples-25", "de.naples-25", "fr.naples-25", "nl.naples-25"),
     "Used for purposes other than those of Naples II only with the provider's consent.",
     _NAPLES),
    (("fr.cpp-695-9-39.conditions",),
     "Kept to the conditions that the State of origin has set and the provider states.",
     ConditionWords(
         "use it within the conditions of the State of origin, as the State that provided it has stated them",
         _OTHER_WAY)),
    (("fr.cpp-11",),
     "Kept confidential, and shown only to those who work on the case.",
     ConditionWords(_TEAM, _PUBLIC)),
    (("fr.cmf-l561-29-1.onward",),
     "Not used otherwise or passed to a third party without the prior consent of the French unit.",
     ConditionWords(
         _PURPOSE,
         "use it otherwise or pass it to a third party, unless the French unit consents beforehand")),
    (("fr.fd-2006-960-8.purpose",),
     ("Used only for the purpose for which they were sent, or to avert an immediate and serious threat to "
      "public security; another use needs consent."),
     ConditionWords(
         "use it for the stated purpose, or to avert an immediate and serious danger to public security",
         _OTHER_PURPOSE_CONSENT)),
    (("fr.led-7.correct",),
     "Corrected or erased at once when the provider gives notice.",
     ConditionWords(_UNTIL_NOTICE, _UNCHANGED)),
    (("eu.led-9-3",),
     "Processed only under the conditions of the provider's law that the provider states.",
     ConditionWords("use it within the conditions that the State that provided it has stated", _OTHER_WAY)),
    (("eu.led-35-1-e",),
     "Not passed to another State or body without the provider's authorisation.",
     ConditionWords(_WITHIN, "pass it to another State or body, unless the State that provided it authorises that")),
    (("eu.amld-55",),
     "Not used otherwise or passed to anyone without the prior consent of the unit.",
     ConditionWords(
         _PURPOSE,
         "use it otherwise or pass it to anyone, unless the unit that provided it consents beforehand")),
    (("gb.dpa-78",),
     "Not transferred to another State or body without the provider's authorisation.",
     ConditionWords(
         _WITHIN, "transfer it to another State or body, unless the State that provided it authorises that")),
    (("gb.dpa-36",),
     "Used only for the law enforcement purpose for which they were sent.",
     ConditionWords("use it for the law enforcement purpose for which it was provided", _OTHER_PURPOSE)),
    (("gb.dpa-38.correct", "eu.led-7-3"),
     "Corrected, erased or restricted at once when the provider gives notice.",
     ConditionWords(_UNTIL_NOTICE, _UNCHANGED)),
    (("gb.ipa-56",),
     ("Not disclosed in or for any proceedings; neither content nor origin is made known beyond those who work "
      "on the case."),
     ConditionWords(
         _TEAM,
         "disclose it in or for any proceedings, or make its content or origin known to anybody else")),
    (("gb.cca-7.onward",),
     "Not used otherwise or passed to a third party without the prior consent of the unit.",
     ConditionWords(
         _PURPOSE,
         "use it otherwise or pass it to a third party, unless the British unit consents beforehand")),
    (("jp.fefa-69-4-3",),
     "Not used in criminal proceedings without the consent of the competent Japanese minister.",
     ConditionWords(
         "ask the competent Japanese minister for consent to use it in criminal proceedings",
         "use it in criminal proceedings without that consent")),
    (("jp.aptcp-14.no-evidence",),
     "Not used to investigate or try a criminal case without the consent of the National Public Safety Commission.",
     ConditionWords(
         "ask the National Public Safety Commission of Japan for consent to use it in a criminal case",
         "use it to investigate or try a criminal case without that consent")),
    (("jp.aptcp-14.onward",),
     "Not used otherwise or passed to a third party without the prior consent of the Japanese unit.",
     ConditionWords(
         _PURPOSE,
         "use it otherwise or pass it to a third party, unless the Japanese unit consents beforehand")),
    (("jp.appi-70",),
     "Used only for the stated purpose, kept safe, and not passed on without the consent of the Japanese police.",
     ConditionWords(
         "use it for the stated purpose, if you keep it safe",
         "use it for anything else, nor pass it on unless the Japanese police consents")),
    (("jp.budapest-26-2", "us.budapest-26-2.voluntary"),
     "Kept confidential; shown only to those who work on the case.",
     ConditionWords(_TEAM, _PUBLIC)),
    (("jp.ccp-47.confidential",),
     "Not made public before the trial in Japan; shown only to those who work on the case.",
     ConditionWords(_TEAM, "make it public before the trial in Japan, or show it to others")),
    (("nl.bpg-5-1-2",),
     "Used only for the purpose for which they were provided; another purpose needs consent.",
     ConditionWords(_PURPOSE, _OTHER_PURPOSE_CONSENT)),
    (("nl.bpg-5-1-8",),
     "Corrected, erased or shielded at once when the provider gives notice.",
     ConditionWords(_UNTIL_NOTICE, _UNCHANGED)),
    (("nl.bpg-5-3-5",),
     "Destroyed once the purpose is served, or by the day that the provider sets.",
     ConditionWords(
         "keep it until its purpose is served, or until the day that the Netherlands has set",
         "keep it after that")),
    (("us.usc-18-2517-7.use",),
     "Used or disclosed only so far as the proper performance of official duties calls for it.",
     ConditionWords(
         "use or disclose it as far as the proper performance of official duties calls for it",
         "use or disclose it beyond that")),
    (("us.usc-18-2517-8.guidelines",),
     ("Used only within the guidelines of the Attorney General and the Director of Central Intelligence that "
      "the provider states."),
     ConditionWords("use it within the guidelines that the United States has stated", _OTHER_WAY)),
    (("us.frcrp-6-e-3-e-iv.use",),
     ("Used only to enforce the criminal law whose violation it may disclose, on the conditions that the court "
      "directs."),
     ConditionWords(
         "use it to enforce the criminal law whose violation it may disclose, as the court has directed",
         _ANYTHING_ELSE)),
    (("us.frcrp-6-e-3-d-i",),
     ("Used only as official duties require, and within the guidelines of the Attorney General and the "
      "Director of National Intelligence that the provider states."),
     ConditionWords(
         "use it as official duties require, within the guidelines that the United States has stated",
         _OTHER_WAY)),
    (("us.usc-19-1628-b",),
     "Kept in confidence and used only for the law-enforcement purposes for which it was given.",
     ConditionWords(
         "use it for the law enforcement purpose for which it was provided",
         "use it for any other purpose, or make it public")),
    (("us.usc-5-552a-c-4",),
     "Corrected or deleted at once when the provider gives notice.",
     ConditionWords(_UNTIL_NOTICE, _UNCHANGED)),
)
# fmt: on

CONDITION_WORDS: Final[Mapping[tuple[str, str], ConditionWords]] = MappingProxyType(
    {(code, text): words for codes, text, words in _TABLE for code in codes}
)
"""The words of each condition, by its code and its text."""


def find_condition_words(condition: Condition) -> ConditionWords | None:
    """Return a condition in plain words; None if nothing is known of it but its own text."""
    return CONDITION_WORDS.get((condition.code, condition.text))


def describe_conditions(conditions: Iterable[Condition]) -> list[ShownCondition]:
    """Return conditions as a page shows them, in the order of their codes."""
    ordered = sorted(conditions, key=lambda condition: (condition.code, condition.text))
    return [ShownCondition(condition, find_condition_words(condition)) for condition in ordered]
