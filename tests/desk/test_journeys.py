"""The journeys, in one file: so one process runs all of them, in one world, whose start takes half a minute."""

from __future__ import annotations

import pytest

from tests.desk.journeys.approval import test_a_hold_is_approved_by_a_second_person_and_not_by_the_first
from tests.desk.journeys.bulk import (
    test_more_alike_questions_than_one_signature_takes_are_answered_one_signature_after_the_other,
)
from tests.desk.journeys.emergency import test_an_emergency_leads_from_its_message_to_the_written_confirmation
from tests.desk.journeys.enrolment import test_an_invited_officer_makes_a_passkey_and_signs_in_with_it
from tests.desk.journeys.followups import (
    test_a_draft_is_taken_away_as_a_document_and_as_a_page_to_print,
    test_a_preservation_is_drafted_from_a_received_item_and_watched,
)
from tests.desk.journeys.intake import (
    test_a_misp_file_becomes_unsent_items_of_which_one_goes_through_the_interview,
    test_a_new_item_is_entered_by_hand_and_offered,
    test_a_withheld_item_is_disclosed_by_an_answer,
)
from tests.desk.journeys.keyboard import test_a_question_is_found_claimed_and_opened_without_a_mouse
from tests.desk.journeys.offers import (
    test_an_offer_is_accepted_and_its_content_is_read,
    test_conditions_that_cannot_be_complied_with_are_relaxed_and_then_accepted,
)
from tests.desk.journeys.reading import (
    test_a_supervisor_sees_what_officers_do_not,
    test_list_question_and_item_are_read_without_scripts,
    test_the_pages_speak_french,
)
from tests.desk.journeys.recall import test_a_recalled_item_is_acknowledged_and_shown_no_longer
from tests.desk.journeys.session import test_a_session_that_ends_while_writing_loses_nothing
from tests.desk.journeys.versions import (
    test_a_new_version_of_an_own_item_corrects_it_where_it_is_and_a_withdrawal_ends_it,
)
from tests.desk.journeys.without_broker import test_a_broker_that_is_away_is_said_and_what_was_typed_is_sent_once

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]

__all__ = [
    "test_a_broker_that_is_away_is_said_and_what_was_typed_is_sent_once",
    "test_a_draft_is_taken_away_as_a_document_and_as_a_page_to_print",
    "test_a_hold_is_approved_by_a_second_person_and_not_by_the_first",
    "test_a_misp_file_becomes_unsent_items_of_which_one_goes_through_the_interview",
    "test_a_new_item_is_entered_by_hand_and_offered",
    "test_a_new_version_of_an_own_item_corrects_it_where_it_is_and_a_withdrawal_ends_it",
    "test_a_preservation_is_drafted_from_a_received_item_and_watched",
    "test_a_question_is_found_claimed_and_opened_without_a_mouse",
    "test_a_recalled_item_is_acknowledged_and_shown_no_longer",
    "test_a_session_that_ends_while_writing_loses_nothing",
    "test_a_supervisor_sees_what_officers_do_not",
    "test_a_withheld_item_is_disclosed_by_an_answer",
    "test_an_emergency_leads_from_its_message_to_the_written_confirmation",
    "test_an_invited_officer_makes_a_passkey_and_signs_in_with_it",
    "test_an_offer_is_accepted_and_its_content_is_read",
    "test_conditions_that_cannot_be_complied_with_are_relaxed_and_then_accepted",
    "test_list_question_and_item_are_read_without_scripts",
    "test_more_alike_questions_than_one_signature_takes_are_answered_one_signature_after_the_other",
    "test_the_pages_speak_french",
]
