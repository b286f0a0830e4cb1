"""The documentation page in a real browser: it works on a machine without a network."""

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from factories import Shop
from playwright.sync_api import Browser, expect, sync_playwright

from api.app import create_app
from billing.bootstrap import Wiring
from billing.ports import Account
from billing.scheduler import Loops
from billing.store.engine import open_database
from tests.api.service import served

SWITCHES = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        required = os.environ.get("BILLING_TEST_REQUIRE", "")
        if required == "all" or "browser" in required:
            pytest.fail("no chromium on PATH, and BILLING_TEST_REQUIRE wants the browser tests")
        pytest.skip("no chromium on PATH; `apt-get install chromium` brings one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*SWITCHES, "--no-first-run"])
        yield browser
        browser.close()


@pytest.fixture
def address(tmp_path: Path, migrated_file: Path) -> Iterator[str]:
    file = tmp_path / "perennial.sqlite3"
    shutil.copy(migrated_file, file)
    shop = Shop(open_database(f"sqlite:///{file}"))
    accounts = {"main": Account(shop.gateway, 64, timedelta(seconds=65))}
    wiring = Wiring(shop.database, shop.clock, shop.ids, shop.keyring, accounts, (), shop.namespace, shop.seller)
    with served(create_app(wiring, Loops(wiring))) as address:
        yield address
    wiring.close()


def test_the_documentation_page_shows_every_operation_and_asks_nobody_else(browser: Browser, address: str) -> None:
    page = browser.new_page()
    hosts: set[str] = set()
    trouble: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname or "data"))
    page.on("console", lambda message: trouble.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("response", lambda answer: trouble.append(answer.url) if answer.status >= 400 else None)
    page.goto(f"{address}/docs")
    paths = page.request.get(f"{address}/openapi.json").json()["paths"]
    expect(page.locator(".opblock")).to_have_count(sum(len(item) for item in paths.values()))
    expect(page.locator(".info .title")).to_contain_text("Perennial")
    page.locator("[id$=create_refund]").click()
    expect(page.locator(".opblock.is-open")).to_contain_text("Give captured money back")
    assert (hosts - {"data"}, trouble) == ({"127.0.0.1"}, [])
