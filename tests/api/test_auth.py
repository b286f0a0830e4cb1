"""Who may do what: a key that opens, and nothing less."""

import httpx
from sqlmodel import select

from billing.store.audit import ApiKey
from billing.use_cases.api_keys import KeyFault, KeyHolder, create_key, find_key
from tests.api.service import PLAN, Service


def flipped(text: str, at: int) -> str:
    return text[:at] + ("a" if text[at] != "a" else "b") + text[at + 1 :]


def ask(client: httpx.Client, header: str | None, path: str = "/v1/plans"):
    client.headers.pop("Authorization", None)
    return client.get(path, headers={"Authorization": header.encode("latin-1")} if header is not None else {})


def test_without_a_whole_key_nobody_is_admitted(client: httpx.Client) -> None:
    for header in (None, "", "Bearer", "Basic c2s6", "Bearer sk_test_12345678_short", "Bearer \u00e9"):
        answer = ask(client, header)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized"), header
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_mistyped_key_is_refused_and_not_repeated(service: Service, client: httpx.Client) -> None:
    for at in (4, 10, 30, len(service.admin_key) - 1):
        answer = ask(client, f"Bearer {flipped(service.admin_key, at)}")
        assert answer.status_code == 401
        assert service.admin_key[17:30] not in answer.text


def test_a_check_that_does_not_fit_is_told_apart_from_an_unknown_key(service: Service) -> None:
    other = create_key(
        service.shop.database, service.shop.ids, service.shop.clock.now(), name="x", role="admin", live=False
    )
    with service.shop.database.tx() as session:
        session.delete(session.exec(select(ApiKey).where(ApiKey.name == "x")).one())
    assert find_key(service.shop.database, flipped(other, 30)) is KeyFault.MISTYPED
    assert find_key(service.shop.database, other) is KeyFault.UNKNOWN


def test_a_right_check_does_not_help_a_wrong_secret(service: Service, client: httpx.Client) -> None:
    database = service.shop.database
    with database.tx() as session:
        for row in session.exec(select(ApiKey)).all():
            row.secret_sha256 = bytes(32)
    answer = ask(client, f"Bearer {service.admin_key}")
    assert (answer.status_code, answer.json()["detail"]) == (401, "there is no such API key")


def test_a_revoked_key_opens_nothing(service: Service, client: httpx.Client) -> None:
    with service.shop.database.tx() as session:
        for row in session.exec(select(ApiKey)).all():
            row.revoked_at = service.shop.clock.now()
    answer = ask(client, f"Bearer {service.admin_key}")
    assert (answer.status_code, answer.json()["detail"]) == (401, "this API key was revoked")


def test_a_merchant_has_no_access_to_what_moves_money_by_hand(service: Service, client: httpx.Client) -> None:
    client.headers["Authorization"] = f"Bearer {service.merchant_key}"
    assert client.post("/v1/plans", json=PLAN).status_code == 201
    answer = client.post("/admin/v1/refunds", json={})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_who_asks_is_known_before_a_body_is_looked_at(client: httpx.Client) -> None:
    client.headers.pop("Authorization")
    assert client.post("/v1/plans", content=b"{").status_code == 401


def test_health_and_documentation_need_no_key(client: httpx.Client) -> None:
    for path in ("/health/live", "/health/ready", "/docs", "/openapi.json"):
        assert ask(client, None, path).status_code == 200


def test_only_a_digest_of_the_secret_is_kept(service: Service) -> None:
    secret = service.admin_key.removeprefix("sk_test_")[9:]
    assert len(secret) == 43 + 6
    assert secret[:43].encode() not in b"".join(path.read_bytes() for path in service.file.parent.iterdir())
    assert isinstance(find_key(service.shop.database, service.admin_key), KeyHolder)


def test_a_live_key_says_so(service: Service) -> None:
    key = create_key(
        service.shop.database, service.shop.ids, service.shop.clock.now(), name="x", role="merchant", live=True
    )
    assert key.startswith("sk_live_")
    assert isinstance(find_key(service.shop.database, key), KeyHolder)
