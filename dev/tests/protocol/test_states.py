"""The state machine: every pair, and walks through it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import FINAL, LATE_APPROVAL, OPEN, STATES, UNSETTLED, may_move

ALLOWED = {
    "draft": {"sent", "failed", "cancelled"},
    "sent": {"pending", "approved", "declined", "cancelled", "failed", "unknown"},
    "pending": {"approved", "declined", "cancelled", "failed", "unknown"},
    "unknown": {"pending", "approved", "declined", "cancelled", "failed"},
    "approved": set(),
    "declined": {"approved"},
    "cancelled": {"approved"},
    "failed": {"approved"},
}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(STATES, STATES)))
def test_every_pair(old, new):
    assert may_move(old, new) is (new in ALLOWED[old])


def test_groups():
    assert set(STATES) == set(ALLOWED) and len(STATES) == 8
    assert {"draft", "sent", "pending"} == OPEN
    assert {"draft", "sent", "pending", "unknown"} == UNSETTLED
    assert {"approved", "declined", "cancelled", "failed"} == FINAL
    assert set(STATES) == FINAL | UNSETTLED and not FINAL & UNSETTLED
    assert {(no, "approved") for no in ("declined", "cancelled", "failed")} == LATE_APPROVAL
    assert all(may_move(old, new) for old, new in LATE_APPROVAL)


@pytest.mark.parametrize("name", ["", "paid", "APPROVED", "refused", None])
def test_what_is_no_state_never_moves(name):
    for state in STATES:
        assert not may_move(state, name)
        assert not may_move(name, state)


@given(st.lists(st.sampled_from(STATES), max_size=40))
def test_walks(wanted):
    """However the answers come: approved stays, nothing returns to draft or sent."""
    state, path = "draft", ["draft"]
    for new in wanted:
        if may_move(state, new):
            state = new
            path.append(new)
    assert path.count("draft") == 1
    assert path.count("sent") <= 1
    if "approved" in path:
        assert path.index("approved") == len(path) - 1
    for old, new in itertools.pairwise(path):
        assert old not in FINAL or (old, new) in LATE_APPROVAL
        assert not (old == "draft" and new == "approved")
