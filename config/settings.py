"""Settings: defaults under a file under the environment. Read by the root and the entry points only."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

DEFAULTS = Path(__file__).parent / "defaults.toml"
CONFIG_FILE = "BILLING_CONFIG_FILE"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class DatabaseSettings(_Section):
    """`url` is `sqlite:///FILE` or `postgresql+psycopg://...`."""

    url: str


class VaultSettings(_Section):
    """Where the key file lies; made by `billing vault init`. The instance file, which tells this database from its
    copies, lies beside it unless `instance_file` names another place; it needs one that can be written to.
    """

    key_file: Path
    instance_file: Path | None = None


class ApiSettings(_Section):
    """Where the API listens; loopback unless told otherwise. `threads` serve requests side by side."""

    host: str
    port: int = Field(ge=0, le=65535)
    threads: int = Field(ge=1, le=200)


class MetricsSettings(_Section):
    """Where a running service answers `GET /metrics`; never a public address."""

    host: str
    port: int = Field(ge=0, le=65535)


class SellerSettings(_Section):
    """The seller's IANA zone, by which invoices are dated, and country, whose tax rules hold."""

    zone: str
    country: str = Field(pattern=r"^[A-Z]{2}$")


class BrakeSettings(_Section):
    """What is not exceeded without a person: due periods of one subscription; a run against its forecast, in percent
    and average invoices beyond that; charges of one customer in a day.
    """

    periods_at_once: int = Field(ge=1, le=1000)
    run_percent: int = Field(ge=100, le=10_000)
    run_slack_invoices: int = Field(ge=0, le=1_000_000)
    charges_per_customer: int = Field(ge=1, le=10_000)


class LoopSettings(_Section):
    """How often the clock pokes the loops, in seconds."""

    seconds: float = Field(gt=0, le=3600)


class _AccountSettings(_Section):
    """One account at a provider. The password comes from `password_env` or, first, from `password_file`.

    `deadline_seconds` is the whole life of one call; `window` how many may be in flight at once. `currencies` are those
    it takes (none named: all), `countries` those of the customers whose tokens it takes; what is owed below
    `minimum_amount` (minor units) is carried to the next invoice. All workers together send at most `rate_per_second`
    requests in the long run (0: no limit) and save up `burst` of them (0: one second's worth).
    """

    name: str = Field(pattern=r"^[a-z0-9_-]{1,64}$")
    password_env: str | None = None
    password_file: Path | None = None
    currencies: list[str] = Field(default_factory=list)
    countries: list[Annotated[str, Field(pattern=r"^[A-Z]{2}$")]] = Field(default_factory=list)
    rate_per_second: int = Field(default=0, ge=0, le=10_000)
    burst: int = Field(default=0, ge=0, le=100_000)
    minimum_amount: int = Field(default=0, ge=0)
    token_covers_any_interval: bool = False

    @model_validator(mode="after")
    def _burst_has_a_rate(self) -> Self:
        if self.burst and not self.rate_per_second:
            raise ValueError("a burst needs a rate_per_second")
        return self


class RestAccountSettings(_AccountSettings):
    """An account on Klarna's current REST APIs."""

    generation: Literal["rest"]
    base_url: str
    username: str
    deadline_seconds: float = Field(default=65.0, gt=0, le=120)
    window: int = Field(default=64, ge=1, le=64)


class LegacyAccountSettings(_AccountSettings):
    """An account on the older generation: `eid` is the merchant number, the password is the shared secret.

    `status_sees_recurring` says that the order status is known to find recurring orders on this account: only then
    does "not found" let a purchase of unknown outcome be made again (charging rules, section 3).
    """

    generation: Literal["legacy"]
    order_management_url: str
    checkout_url: str
    eid: int = Field(ge=1)
    status_sees_recurring: bool = False
    deadline_seconds: float = Field(default=30.0, gt=0, le=60)
    window: int = Field(default=8, ge=1, le=8)


ProviderAccountSettings = Annotated[RestAccountSettings | LegacyAccountSettings, Field(discriminator="generation")]


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix="BILLING_", env_nested_delimiter="__", extra="forbid", hide_input_in_errors=True
    )

    database: DatabaseSettings
    vault: VaultSettings
    api: ApiSettings
    seller: SellerSettings
    loops: LoopSettings
    brakes: BrakeSettings
    metrics: MetricsSettings
    provider_accounts: list[ProviderAccountSettings]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (the interface; no .env file is read)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (the interface; accounts name their files)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the named file, then the defaults."""
        named = os.environ.get(CONFIG_FILE)
        files = [Path(named)] if named else []
        tomls = [TomlConfigSettingsSource(settings_cls, toml_file=path) for path in (*files, DEFAULTS)]
        return init_settings, env_settings, *tomls


def load_settings() -> Settings:
    """The settings in force. Raises `FileNotFoundError` for a named file that is not there, and pydantic's
    `ValidationError` or `tomllib.TOMLDecodeError` for one that is wrong.
    """
    named = os.environ.get(CONFIG_FILE)
    if named and not Path(named).is_file():
        raise FileNotFoundError(named)
    return Settings()  # type: ignore[call-arg]  # every field comes from the sources
