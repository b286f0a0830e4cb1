"""A service installed on each database, with a sandbox as its provider."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from installed import Installed

from tests.adapters.conftest import SandboxProcess


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    """One sandbox for all tests of this process; each looks at the orders of its own tokens."""
    process = SandboxProcess(tmp_path_factory.mktemp("provider"))
    yield process
    process.stop()


@pytest.fixture
def installed(
    database_url: str, tmp_path: Path, provider: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installed]:
    made = Installed(database_url, tmp_path, provider)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    made.configure()
    made.install()
    yield made
    made.stop_everything()
    provider.client.delete("/_sandbox/script")
