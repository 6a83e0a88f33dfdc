"""Findings: a providing officer's answers to questions that only some State's law asks.

Each is a tri-state fact, `findings.<name>` in a law pack's `when`, and the key of a map in the Avro record, so
that a new one is a line here and no new schema. The text says what is asked, and who asks it.
"""

from __future__ import annotations

from types import MappingProxyType

FINDINGS = MappingProxyType(
    {
        "request_grantable": "A request for assistance about this item could be granted (DE IRG § 61a(1)).",
        "domestic_sharing_lawful": "A domestic authority could be given it without a request (DE IRG § 61a(1)).",
        "considerable_significance": "The offence is one of considerable significance (DE IRG § 61a(1)).",
        "concrete_danger": (
            "It averts a concrete danger to the State, to life, liberty or property of value, or prevents such an "
            "offence (DE IRG § 61a(1) no. 2 (b))."
        ),
        "subject_interests_prevail": "The data subject's interests obviously prevail (DE IRG § 61a(3)).",
        "found_suspicion": "The data found the suspicion of an offence (DE IRG § 92c).",
        "own_task_need": "It is needed for the providing police's own task (NL Bpg art. 5:1).",
        "recipient_task_need": "It is needed for the recipient's police task (NL Bpg art. 5:1).",
        "serious_offence": "The offence is serious (NL Bpg art. 5:1; Directive (EU) 2023/977 art. 7).",
        "grave_public_order_danger": "It concerns a grave danger to public order (NL Bpg art. 5:1).",
        "urgent_weighty_interest": "An urgent and weighty interest asks for it (NL Wpg art. 17).",
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
    }
)
