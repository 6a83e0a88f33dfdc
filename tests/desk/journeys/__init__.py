"""What officers do at the desk, in a real browser. `tests/desk/test_journeys.py` runs them."""

import pytest

pytest.register_assert_rewrite(
    *(
        f"{__name__}.{name}"
        for name in (
            "approval", "emergency", "enrolment", "followups", "intake", "keyboard", "offers", "people", "reading",
            "recall", "session", "without_broker",
        )
    )
)  # fmt: skip
