"""A shop on each database."""

import pytest
from factories import Shop

from billing.store.engine import Database


@pytest.fixture
def shop(database: Database) -> Shop:
    return Shop(database)
