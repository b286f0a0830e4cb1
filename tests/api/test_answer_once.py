"""One effect and one answer on both databases: whoever loses the race says what the winner said."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from factories import GOODS, Shop
from sqlmodel import select

from billing.domain.errors import Conflict
from billing.domain.periods import Interval
from billing.store.audit import StoredAnswer
from billing.store.engine import Database
from billing.store.plans import Plan
from billing.use_cases.answer_once import OPEN, Asked, Given, answer_once, complete
from billing.use_cases.api_keys import KeyHolder, create_key, find_key
from billing.use_cases.catalogue import NewPlan, NewPrice, create_plan, create_price


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database)


@pytest.fixture
def asked(shop: Shop) -> Asked:
    text = create_key(shop.database, shop.ids, shop.clock.now(), name="shop", role="merchant", live=False)
    holder = find_key(shop.database, text)
    assert isinstance(holder, KeyHolder)
    return Asked(holder.id, "k", "0" * 64)


def once(shop: Shop, asked: Asked, act: Callable[[Any], Any], status: int = 200) -> Given:
    def shown(_: object, result: Any) -> tuple[int, bytes]:
        return status, str(getattr(result, "id", result)).encode()

    return answer_once(shop.database, shop.ids, shop.clock.now(), asked, act, shown, lambda e: (409, e.code.encode()))


def stored(shop: Shop) -> list[StoredAnswer]:
    with shop.database.tx() as session:
        return list(session.exec(select(StoredAnswer)))


def test_parallel_repeats_of_what_is_unique_anyway_have_one_effect(shop: Shop, asked: Asked) -> None:
    new = NewPlan("club", "Club")
    made = parallel(shop, asked, lambda record: create_plan(shop.database, shop.ids, shop.clock.now(), new, record))
    assert len({(given.status, given.body) for given in made}) == 1
    assert made[0].status == 200
    with shop.database.tx() as session:
        assert len(session.exec(select(Plan)).all()) == 1


def test_parallel_repeats_of_what_could_be_there_twice_have_one_effect(shop: Shop, asked: Asked) -> None:
    plan = create_plan(shop.database, shop.ids, shop.clock.now(), NewPlan("club", "Club"))
    new = NewPrice(plan.id, "SEK", Interval.MONTH, 1, GOODS)
    made = parallel(shop, asked, lambda record: create_price(shop.database, shop.ids, shop.clock.now(), new, record))
    assert len({(given.status, given.body) for given in made}) == 1
    assert sum(not given.replayed for given in made) == 1
    assert len(stored(shop)) == 1


def test_an_answer_and_its_effect_are_written_together_or_not_at_all(shop: Shop, asked: Asked) -> None:
    def dies(record: Any) -> None:
        with shop.database.tx() as session:
            record(session, "done")
            raise RuntimeError("the process dies here")

    with pytest.raises(RuntimeError):
        once(shop, asked, dies)
    assert stored(shop) == []


def test_who_is_refused_because_another_won_says_what_the_winner_said(shop: Shop, asked: Asked) -> None:
    def wins(record: Any) -> None:
        with shop.database.tx() as session:
            record(session, "winner")

    def loses(_: Any) -> None:
        # Between its look at what is stored and its refusal, another request has done it all.
        once(shop, asked, wins)
        raise Conflict

    given = once(shop, asked, loses)
    assert (given.status, given.body, given.replayed) == (200, b"winner", True)


def test_an_open_answer_is_fixed_once(shop: Shop, asked: Asked) -> None:
    def acts(record: Any) -> None:
        with shop.database.tx() as session:
            record(session, "planned")

    first, second = once(shop, asked, acts, OPEN), once(shop, asked, acts, OPEN)
    assert (first.status, second.status, second.replayed) == (OPEN, OPEN, True)
    assert complete(shop.database, asked, second, 202, b"planned").body == b"planned"
    assert complete(shop.database, asked, first, 202, b"succeeded").body == b"planned"
    assert once(shop, asked, acts).body == b"planned"


def parallel(shop: Shop, asked: Asked, act: Callable[[Any], Any]) -> list[Given]:
    with ThreadPoolExecutor(12) as pool:
        return list(pool.map(lambda _: once(shop, asked, act), range(24)))
