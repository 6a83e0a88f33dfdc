"""Findings: a providing officer's answers to questions that only the laws of some States ask.

Each finding is a tri-state fact, named `findings.<name>` in the `when` of a law pack, and a key of a map in the Avro
record, so that a new finding is one entry here and does not change the schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class Finding(NamedTuple):
    """A question to the providing officer, who answers it with yes or no.

    Attributes:
        question: One sentence in an officer's words.
        law: The provisions that ask it.
    """

    question: str
    law: str


FINDINGS: Mapping[str, Finding] = MappingProxyType(
    {
        "request_grantable": Finding("Could a request for assistance about this item be granted?", "DE IRG § 61a(1)"),
        "domestic_sharing_lawful": Finding(
            "Could you lawfully give it to a domestic authority that has not asked for it?", "DE IRG §§ 61a(1), 92c(1)"
        ),
        "considerable_significance": Finding("Is the offence one of considerable significance?", "DE IRG § 61a(1)"),
        "concrete_danger": Finding(
            "Would sharing it avert a concrete danger to the State or to life, liberty or valuable property, or "
            "prevent an offence that causes one?",
            "DE IRG § 61a(1) no. 2 (b)",
        ),
        "subject_interests_prevail": Finding(
            "Do the interests of the person concerned outweigh the interest in sharing it?",
            "DE IRG § 61a(3); GB DPA 2018 s. 76(2); Directive (EU) 2016/680 art. 38(2); CH IMAC art. 11f(3), SCC art. "
            "349c(4); JP APPI art. 69(2)",
        ),
        "found_suspicion": Finding("Does it give rise to the suspicion of an offence?", "DE IRG § 92c"),
        "own_task_need": Finding("Is sharing it necessary for your own police duties?", "NL Bpg art. 5:1"),
        "recipient_task_need": Finding("Does the recipient need it for its police duties?", "NL Bpg art. 5:1"),
        "serious_offence": Finding(
            "Is the offence serious, as your law defines it?", "NL Bpg art. 5:1; Directive (EU) 2023/977 arts 2, 7"
        ),
        "grave_public_order_danger": Finding("Does it concern a grave danger to public order?", "NL Bpg art. 5:1"),
        "urgent_weighty_interest": Finding(
            "Does an urgent and weighty interest require sharing it?", "NL Wpg arts 17, 17a"
        ),
        "case_specific_safeguards": Finding(
            "Have safeguards for this case been agreed with the recipient?", "NL Wpg art. 17; GB DPA 2018 s. 75"
        ),
        "wpg_10_1_a_data": Finding(
            "Are the data processed under Wpg art. 10(1)(a), to learn who is involved in serious crime?",
            "NL Bpg art. 5:1(6)",
        ),
        "wpg_10_1_b_data": Finding(
            "Are the data processed under Wpg art. 10(1)(b), on acts that may point to designated crimes that gravely "
            "endanger the legal order?",
            "NL Bpg art. 5:1(6)",
        ),
        "wpg_10_1_c_data": Finding(
            "Are the data processed under Wpg art. 10(1)(c), on acts that gravely disturb public order?",
            "NL Bpg art. 5:1(6)",
        ),
        "essential_interest_harm": Finding(
            "Would sharing it harm your State's sovereignty, security or another essential interest?",
            "UNCAC art. 46(21)(b); Budapest Convention art. 27(4)(b); JP FEFA art. 69-4; US Executive Order 13526",
        ),
        "foreign_criminal_use": Finding(
            "Is it meant to be used in criminal proceedings in the receiving State?", "JP FEFA art. 69-4, APTCP art. 14"
        ),
        "strictly_necessary": Finding(
            "Is it strictly necessary to pass on the special categories of personal data in it?",
            "Directive (EU) 2016/680 art. 10; US 5 USC 552a(e)(7)",
        ),
        "statutory_ground": Finding(
            "Does a statute allow your authority to disclose it?",
            "JP APPI art. 69(1); GB ATCSA 2001 s. 17",
        ),
        "death_penalty_assurance": Finding(
            "Has the recipient given an assurance that no death penalty is imposed or carried out?",
            "DE IRG §§ 8, 73; NL Uitleveringswet art. 8; CA Charter s. 7; CH IMAC art. 37(3)",
        ),
        "case_file_disclosure_appropriate": Finding(
            "Has the keeper of the case file found that the public interest, or another reason, makes it appropriate "
            "to disclose what is in it?",
            "JP CCP art. 47",
        ),
        "secret_disclosure_permitted": Finding(
            "Has the head of your agency permitted the secret to be disclosed?",
            "JP National Public Service Act art. 100, Local Public Service Act art. 34",
        ),
        "customs_infringement": Finding(
            "Does it concern a breach of the other State's customs law?", "Naples II art. 17"
        ),
        "mistreatment_substantial_risk": Finding(
            "Would sharing it create a substantial risk that someone is mistreated?",
            "CA Avoiding Complicity in Mistreatment by Foreign Entities Act",
        ),
        "mistreatment_risk_mitigable": Finding(
            "Can the risk that someone is mistreated be mitigated, and have measures been taken?",
            "CA Avoiding Complicity in Mistreatment by Foreign Entities Act",
        ),
        "consistent_use": Finding(
            "Is the use abroad consistent with the purpose for which it was obtained?", "CA Privacy Act s. 8(2)(a)"
        ),
        "public_interest_outweighs": Finding(
            "Does the public interest in disclosing it clearly outweigh privacy?",
            "CA Privacy Act s. 8(2)(m)",
        ),
        "suspicion_of_relevance": Finding(
            "Are there reasonable grounds to suspect that it is relevant to a case of laundering, financing of "
            "terrorism or evasion of sanctions?",
            "CA PCMLTFA s. 56.1",
        ),
        "designated_information": Finding("Is it designated information?", "CA PCMLTFA s. 56.1(5)"),
        "interests_of_justice": Finding(
            "Is it in the interests of justice to pass on the intercepted communication?",
            "CA Criminal Code s. 193(2)(e)",
        ),
        "prospective_telecom_data": Finding(
            "Were the telecommunications data created while the authorisation was in force?", "AU TIA s. 180B"
        ),
        "foreign_telecom_authorisation": Finding(
            "Has an authorised officer of the AFP authorised this disclosure to another State?", "AU TIA ss 180A-180C"
        ),
        "disclosure_necessary": Finding(
            "Is disclosing it reasonably necessary to enforce criminal law?", "AU TIA s. 180B; APP 6.2(e)"
        ),
        "disclosure_appropriate": Finding("Is disclosing it appropriate in all the circumstances?", "AU TIA s. 180B"),
        "privacy_interference_justified": Finding(
            "Is the loss of privacy justifiable and proportionate?", "AU TIA s. 180F"
        ),
        "emergency_consent_unobtainable": Finding(
            "Is disclosing it necessary against a serious threat to someone's life, health or safety, and is it "
            "unreasonable or impracticable to obtain the consent of the person concerned?",
            "AU Privacy Act s. 16A, Telecommunications Act 1997 ss 287, 300",
        ),
        "arrested_or_charged": Finding(
            "Has anyone been arrested, detained, charged or convicted for the offence?",
            "AU guideline on the death penalty",
        ),
        "eaw_category": Finding(
            "Does the offence fall into a category of the European Arrest Warrant list?",
            "FR CPP arts 695-9-38, 695-23",
        ),
        "facts_suggest_use": Finding(
            "Do facts suggest that it would be useful to the other State?",
            "FR CPP art. 695-9-38; Directive (EU) 2023/977 art. 7",
        ),
        "judicial_authorisation_needed": Finding(
            "Does your law require a judicial authorisation for access to it, or for disclosing it to police?",
            "FR CPP art. 695-9-40; Directive (EU) 2023/977 art. 9",
        ),
        "live_case_file": Finding(
            "Is it part of the file of ongoing criminal proceedings?", "FR CPP arts 11, 695-9-40"
        ),
        "person_safety_harm": Finding(
            "Would sharing it endanger a person's safety?", "Directive (EU) 2023/977 arts 6-7; FR CPP art. 695-9-41"
        ),
        "law_enforcement_necessity": Finding(
            "Is the transfer necessary for a law enforcement purpose?",
            "GB DPA 2018 s. 73(2); Directive (EU) 2016/680 art. 35(1)(a)",
        ),
        "europol_data_categories": Finding(
            "Are the personal data of a category that Europol's annex lists for this class of person?",
            "Directive (EU) 2023/977 art. 10",
        ),
        "special_circumstances": Finding(
            "Do special circumstances, such as a threat to someone's life, make the transfer necessary?",
            "GB DPA 2018 s. 76(1); Directive (EU) 2016/680 art. 38; CH IMAC art. 11f(3), SCC art. 349c(4); "
            "JP APPI art. 69(2)(iv)",
        ),
        "disclosure_proportionate": Finding("Is disclosing it proportionate to the purpose?", "GB ATCSA 2001 s. 17(5)"),
        "overseas_disclosure_barred": Finding(
            "Does a direction of the Secretary of State prohibit disclosing it for the proceedings abroad?",
            "GB ATCSA 2001 s. 18",
        ),
        "interception_safeguards": Finding(
            "Does the issuing authority find that corresponding safeguards will apply in the other State?",
            "GB IPA 2016 s. 54(2)(a)",
        ),
        "interception_evidence_barred": Finding(
            "Does the issuing authority find that use in proceedings in the other State is prevented?",
            "GB IPA 2016 s. 54(2)(b)",
        ),
        "capital_strict_necessity": Finding(
            "Is it on record that the transfer is strictly necessary even though a death sentence may follow?",
            "GB DPA 2018 ss. 73, 76; Elgizouli",
        ),
        "official_duties": Finding(
            "Is disclosing it appropriate to the official duties of the disclosing or the receiving official?",
            "US 18 USC 2517(7); 18 USC 2707(g)",
        ),
        "hostile_threat": Finding(
            "Does it reveal a threat of attack, sabotage, terrorism or hostile espionage?",
            "US 18 USC 2517(8); Fed. R. Crim. P. 6(e)(3)(D)",
        ),
        "foreign_law_violation": Finding(
            "May the matter disclose a violation of the receiving State's criminal law?",
            "US Fed. R. Crim. P. 6(e)(3)(E)(iv)",
        ),
        "routine_use": Finding("Does a published routine use cover the disclosure?", "US 5 USC 552a(b)(3)"),
    }
)
