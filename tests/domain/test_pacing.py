"""A bucket that never gives more than its rate, and a breaker whose every move is in its table."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.pacing import (
    BREAKER_FOLLOWS,
    PARTS,
    Breaker,
    BreakerCause,
    BreakerState,
    Bucket,
    Counts,
    Tally,
    opened,
    opening_for_declines,
    opening_for_faults,
    probed,
    probing,
    turned,
)

NOW = datetime(2028, 1, 31, 8, tzinfo=UTC)
FULL = Bucket(rate=5, burst=10, level=10 * PARTS, at=NOW)
FAULTS, DECLINES = BreakerCause.FAULTS, BreakerCause.DECLINES
A_MONTH = {"2028-01-15": (1000, 60)}


def test_a_full_bucket_gives_its_burst_and_then_its_rate() -> None:
    granted, left = FULL.take(NOW, 64)
    assert (granted, left.take(NOW, 1)[0]) == (10, 0)
    assert left.take(NOW + timedelta(seconds=1), 64)[0] == 5


def test_what_was_promised_is_there_at_that_very_microsecond_and_not_before() -> None:
    empty = FULL.take(NOW, 10)[1]
    at = empty.ready_at(3)
    assert at == NOW + timedelta(milliseconds=600)
    assert empty.take(at, 64)[0] == 3
    assert empty.take(at - timedelta(microseconds=1), 64)[0] == 2


def test_no_rate_is_no_limit_and_no_wait() -> None:
    free = Bucket(0, 0, 0, NOW)
    assert (free.take(NOW, 500)[0], free.ready_at(500)) == (500, NOW)


def test_a_bucket_that_the_provider_emptied_fills_from_then_on() -> None:
    waiting = FULL.emptied(NOW + timedelta(seconds=30))
    assert waiting.take(NOW + timedelta(seconds=30), 1)[0] == 0
    assert waiting.take(NOW + timedelta(seconds=31), 64)[0] == 5


def test_a_clock_that_goes_back_gives_nothing_twice() -> None:
    left = FULL.take(NOW, 10)[1]
    early = left.take(NOW - timedelta(hours=1), 1)[1]
    assert early.take(NOW, 1)[0] == 0


@given(st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(0, 20)), max_size=40))
def test_however_it_is_asked_it_never_gives_more_than_burst_and_rate(asked: list[tuple[int, int]]) -> None:
    bucket, now, given_out = FULL, NOW, 0
    for microseconds, wanted in asked:
        now += timedelta(microseconds=microseconds)
        granted, bucket = bucket.take(now, wanted)
        given_out += granted
    elapsed = (now - NOW) // timedelta(microseconds=1)
    assert given_out * PARTS <= FULL.level + FULL.rate * elapsed


def counts(**values: int) -> Counts:
    return Counts(NOW, **values)


@pytest.mark.parametrize(
    ("found", "opens"),
    [
        (counts(calls=10, faults=10, in_a_row=10), True),
        (counts(calls=9, faults=9, in_a_row=9), False),
        (counts(calls=20, faults=10), True),
        (counts(calls=19, faults=18), False),
        (counts(calls=100, faults=49), False),
    ],
)
def test_ten_faults_in_a_row_or_half_of_twenty_open_it(found: Counts, opens: bool) -> None:
    assert (opening_for_faults(found) is not None) == opens


@pytest.mark.parametrize(
    ("answers", "declines", "days", "opens"),
    [
        (49, 49, A_MONTH, False),  # too few to judge
        (50, 10, A_MONTH, True),  # 20 % against 6 %
        (100, 18, A_MONTH, False),  # exactly three times the mean
        (100, 19, A_MONTH, True),
        (100, 15, {"2028-01-15": (1000, 10)}, False),  # fifteen times the mean, but only 15 %
        (100, 16, {"2028-01-15": (1000, 10)}, True),
        (50, 15, {}, False),  # a new account: 30 %
        (50, 16, {}, True),
        (50, 15, {"2028-01-15": (199, 1)}, False),  # still new
        (50, 15, {"2027-12-31": (9000, 9)}, False),  # what is older than 30 days is forgotten
        (50, 15, {"2028-01-01": (9000, 9)}, True),
    ],
)
def test_a_decline_rate_far_from_normal_opens_it(
    answers: int, declines: int, days: dict[str, tuple[int, int]], opens: bool
) -> None:
    found = opening_for_declines(counts(answers=answers, declines=declines), days, NOW)
    assert (found is not None) == opens


def test_each_rest_in_a_row_is_twice_as_long_up_to_half_an_hour() -> None:
    breaker, rests = Breaker(), []
    for _ in range(7):
        breaker = opened(breaker, FAULTS, "silence", NOW)
        rests.append((breaker.until - NOW).total_seconds())
    assert rests == [60, 120, 240, 480, 960, 1800, 1800]


def test_declines_open_it_until_a_person_comes() -> None:
    breaker = opened(Breaker(), DECLINES, "20 of 50", NOW)
    assert breaker.until is None
    assert not breaker.lets_charges_out(NOW + timedelta(days=365))


def test_one_good_probe_closes_it_and_one_bad_one_opens_it_for_longer() -> None:
    half_open = probing(opened(Breaker(), FAULTS, "silence", NOW), NOW)
    assert probed(half_open, Tally(calls=3), NOW).state is BreakerState.CLOSED
    again = probed(half_open, Tally(calls=3, faults=1), NOW)
    assert (again.state, again.rests) == (BreakerState.OPEN, 2)
    assert probed(half_open, Tally(), NOW) == half_open


def test_every_move_stands_in_the_table() -> None:
    open_ = opened(Breaker(), FAULTS, "silence", NOW)
    half = probing(open_, NOW)
    moves = [(Breaker(), open_), (open_, half), (half, probing(half, NOW))]
    moves += [(half, probed(half, Tally(calls=1, faults=faults), NOW)) for faults in (0, 1)]
    assert all(after.state in BREAKER_FOLLOWS[before.state] for before, after in moves)
    assert probed(open_, Tally(calls=1), NOW) == open_


def test_a_window_that_is_over_joins_its_day_and_days_older_than_30_go() -> None:
    before = counts(calls=70, answers=60, declines=6)
    tally = Tally(calls=10, answers=10, declines=1)
    fresh, days = turned(before, tally, {"2027-11-01": (9, 9), "2028-01-31": (100, 1)}, NOW + timedelta(hours=1))
    assert days == {"2028-01-31": (150, 6)}
    assert fresh == replace(counts(calls=10, answers=10, declines=1), began_at=NOW + timedelta(hours=1))
