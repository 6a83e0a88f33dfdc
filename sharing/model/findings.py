"""Findings: a providing officer's answers to questions that only the laws of some States ask.

Each finding is a tri-state fact, named `findings.<name>` in the `when` of a law pack, and a key of a map in the Avro
record, so that a new finding is one line here and does not change the schema. The text states the question and the law
that asks it.
"""

from __future__ import annotations

from types import MappingProxyType

FINDINGS = MappingProxyType(
    {
        "request_grantable": "A request for assistance about this item could be granted (DE IRG § 61a(1)).",
        "domestic_sharing_lawful": "A domestic authority could receive it without a request (DE IRG § 61a(1)).",
        "considerable_significance": "The offence is one of considerable significance (DE IRG § 61a(1)).",
        "concrete_danger": (
            "It averts a concrete danger to the State, to life, liberty or valuable property, or prevents such an "
            "offence (DE IRG § 61a(1) no. 2 (b))."
        ),
        "subject_interests_prevail": "The data subject's interests obviously prevail (DE IRG § 61a(3)).",
        "found_suspicion": "The data give rise to the suspicion of an offence (DE IRG § 92c).",
        "own_task_need": "It is needed for the providing police's own task (NL Bpg art. 5:1).",
        "recipient_task_need": "It is needed for the recipient's police task (NL Bpg art. 5:1).",
        "serious_offence": "The offence is serious (NL Bpg art. 5:1; Directive (EU) 2023/977 art. 7).",
        "grave_public_order_danger": "It concerns a grave danger to public order (NL Bpg art. 5:1).",
        "urgent_weighty_interest": "An urgent and weighty interest requires it (NL Wpg art. 17).",
        "case_specific_safeguards": "Safeguards were agreed for this case (NL Wpg art. 17).",
        "wpg_10_1_a_data": "The data are processed under Wpg art. 10(1)(a) (NL Bpg art. 5:1(6)).",
        "wpg_10_1_b_data": "The data are processed under Wpg art. 10(1)(b) (NL Bpg art. 5:1(6)).",
        "wpg_10_1_c_data": "The data are processed under Wpg art. 10(1)(c) (NL Bpg art. 5:1(6)).",
        "essential_interest_harm": (
            "Sharing would harm sovereignty, security or another essential interest (UNCAC art. 46(21)(b); "
            "JP FEFA art. 69-4)."
        ),
        "foreign_criminal_use": "It is meant for use in the recipient's criminal proceedings (JP FEFA art. 69-4).",
        "strictly_necessary": (
            "Passing on special categories of personal data is strictly necessary (Directive (EU) 2016/680 art. 10)."
        ),
        "statutory_ground": "A statute lets the authority provide it (JP APPI art. 69(1)).",
        "death_penalty_assurance": (
            "The recipient has given the assurance that no death penalty is imposed or carried out "
            "(DE IRG §§ 8, 73; NL Uitleveringswet art. 8)."
        ),
        "customs_infringement": "It concerns a breach of customs law in the other State (Naples II art. 17).",
        "mistreatment_substantial_risk": (
            "Sharing would create a substantial risk of mistreatment of a person (CA Avoiding Complicity in "
            "Mistreatment by Foreign Entities Act)."
        ),
        "mistreatment_risk_mitigable": "That risk can be mitigated, and measures have been taken (CA, the same Act).",
        "consistent_use": (
            "The use is consistent with the purpose for which it was obtained (CA Privacy Act s. 8(2)(a))."
        ),
        "public_interest_outweighs": "The public interest clearly outweighs privacy (CA Privacy Act s. 8(2)(m)).",
        "suspicion_of_relevance": (
            "Reasonable grounds to suspect that it is relevant to a case of laundering, financing of terrorism or "
            "evasion of sanctions (CA PCMLTFA s. 56.1)."
        ),
        "designated_information": "It is designated information (CA PCMLTFA s. 56.1(5)).",
        "interests_of_justice": (
            "Passing on the intercepted communication is in the interests of justice (CA Criminal Code s. 193(2)(e))."
        ),
        "prospective_telecom_data": (
            "The telecommunications data were created while the authorisation was in force (AU TIA s. 180B)."
        ),
        "foreign_telecom_authorisation": (
            "An authorised AFP officer has authorised this disclosure to another State (AU TIA ss 180A-180C)."
        ),
        "disclosure_necessary": "It is reasonably necessary for enforcing criminal law (AU TIA s. 180B; APP 6.2(e)).",
        "disclosure_appropriate": "It is appropriate in all the circumstances (AU TIA s. 180B).",
        "privacy_interference_justified": "The loss of privacy is justifiable and proportionate (AU TIA s. 180F).",
        "arrested_or_charged": (
            "Someone is arrested, detained, charged or convicted for the offence (AU guideline on the death penalty)."
        ),
        "eaw_category": (
            "The offence falls into a category of the European Arrest Warrant list (FR CPP arts 695-9-38, 695-23)."
        ),
        "facts_suggest_use": (
            "Facts suggest that it would be useful to the other State (FR CPP art. 695-9-38; Directive (EU) 2023/977 "
            "art. 7)."
        ),
        "judicial_authorisation_needed": (
            "Under domestic law, a magistrate must authorise access to it or its disclosure to police (FR CPP "
            "art. 695-9-40)."
        ),
        "live_case_file": "It is part of the file of ongoing criminal proceedings (FR CPP arts 11, 695-9-40).",
        "person_safety_harm": (
            "Sharing would endanger a person's safety (Directive (EU) 2023/977 arts 6-7; FR CPP art. 695-9-41)."
        ),
        "law_enforcement_necessity": (
            "The transfer is necessary for a law enforcement purpose (GB DPA 2018 s. 73(2); Directive (EU) 2016/680 "
            "art. 35(1)(a))."
        ),
        "europol_data_categories": (
            "The personal data belong to the categories that Europol's annex lists for that class of person "
            "(Directive (EU) 2023/977 art. 10)."
        ),
        "special_circumstances": (
            "Special circumstances make the transfer necessary (GB DPA 2018 s. 76(1); Directive (EU) 2016/680 art. 38)."
        ),
        "disclosure_proportionate": "The disclosure is proportionate to its purpose (GB ATCSA 2001 s. 17(5)).",
        "overseas_disclosure_barred": (
            "A direction of the Secretary of State prohibits disclosure for those proceedings (GB ATCSA 2001 s. 18)."
        ),
        "interception_safeguards": (
            "The issuing authority finds that corresponding safeguards will apply in the other State (GB IPA 2016 "
            "s. 54(2)(a))."
        ),
        "interception_evidence_barred": (
            "The issuing authority finds that use in proceedings in the other State is prevented (GB IPA 2016 "
            "s. 54(2)(b))."
        ),
        "capital_strict_necessity": (
            "It is on record that the transfer is strictly necessary even though a death sentence may follow "
            "(GB DPA 2018 ss. 73, 76; Elgizouli)."
        ),
        "official_duties": (
            "Disclosure is appropriate to the official duties of the disclosing or receiving official (US 18 USC "
            "2517(7))."
        ),
        "hostile_threat": (
            "The contents reveal a threat of attack, sabotage, terrorism or hostile espionage (US 18 USC 2517(8))."
        ),
        "foreign_law_violation": (
            "The matter may disclose a violation of the recipient's criminal law (US Fed. R. Crim. P. 6(e)(3)(E)(iv))."
        ),
        "routine_use": "A published routine use covers the disclosure (US 5 USC 552a(b)(3)).",
    }
)
