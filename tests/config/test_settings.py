"""Settings: arguments over environment over the named file over the defaults; a mistake is named."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from config.settings import load_settings


def test_the_defaults_listen_on_loopback() -> None:
    settings = load_settings()
    assert (settings.api.host, settings.api.port) == ("127.0.0.1", 8000)


def test_the_environment_stands_over_the_named_file_over_the_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "billing.toml"
    file.write_text('[api]\nport = 9000\nhost = "127.0.0.2"\nthreads = 4\n')
    monkeypatch.setenv("BILLING_CONFIG_FILE", str(file))
    monkeypatch.setenv("BILLING_API__PORT", "9001")
    settings = load_settings()
    assert (settings.api.host, settings.api.port, settings.loops.seconds) == ("127.0.0.2", 9001, 2.0)


def test_an_unknown_setting_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "billing.toml"
    file.write_text("[api]\nprot = 9000\n")
    monkeypatch.setenv("BILLING_CONFIG_FILE", str(file))
    with pytest.raises(ValidationError, match="prot"):
        load_settings()


def test_a_missing_named_file_is_an_error_and_not_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_CONFIG_FILE", "nowhere.toml")
    with pytest.raises(FileNotFoundError):
        load_settings()


OLDER = """[[provider_accounts]]
name = "old"
generation = "legacy"
order_management_url = "http://127.0.0.1"
checkout_url = "http://127.0.0.1"
eid = 4711
"""


@pytest.mark.parametrize(("line", "sees"), [("", False), ("status_sees_recurring = true\n", True)])
def test_the_order_status_is_held_for_blind_until_an_account_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, sees: bool
) -> None:
    file = tmp_path / "billing.toml"
    file.write_text(OLDER + line)
    monkeypatch.setenv("BILLING_CONFIG_FILE", str(file))
    (account,) = load_settings().provider_accounts
    assert account.generation == "legacy"
    assert account.status_sees_recurring is sees


def test_only_the_older_generation_has_an_order_status_to_see_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "billing.toml"
    account = 'name = "a"\ngeneration = "rest"\nbase_url = "http://127.0.0.1"\nusername = "u"\n'
    file.write_text(f"[[provider_accounts]]\n{account}status_sees_recurring = true\n")
    monkeypatch.setenv("BILLING_CONFIG_FILE", str(file))
    with pytest.raises(ValidationError, match="status_sees_recurring"):
        load_settings()


def test_a_burst_without_a_rate_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "billing.toml"
    account = 'name = "a"\ngeneration = "rest"\nbase_url = "http://127.0.0.1"\nusername = "u"\nburst = 5\n'
    file.write_text(f"[[provider_accounts]]\n{account}")
    monkeypatch.setenv("BILLING_CONFIG_FILE", str(file))
    with pytest.raises(ValidationError, match="a burst needs a rate_per_second"):
        load_settings()
