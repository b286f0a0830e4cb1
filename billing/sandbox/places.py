"""Countries, currencies and languages, as ISO writes them and as the older generation numbers them."""

_EURO = dict.fromkeys(("AT", "BE", "DE", "ES", "FI", "FR", "GR", "IE", "IT", "NL", "PT"), "EUR")
_OTHERS = {"CZ": "CZK", "DK": "DKK", "NO": "NOK", "PL": "PLN", "SE": "SEK", "CH": "CHF", "GB": "GBP"}
_OVERSEAS = {"US": "USD", "CA": "CAD", "NZ": "NZD", "AU": "AUD", "MX": "MXN", "HU": "HUF", "RO": "RON"}
CURRENCIES = _EURO | _OTHERS | _OVERSEAS
"""The local currency of each country that sells; no other is taken there."""

NOT_TOKENIZED = frozenset({"NZ"})
"""Where the sandbox's own account has no recurring payments, so that the refusal can be met."""

COUNTRY_NUMBERS = {15: "AT", 59: "DK", 73: "FI", 81: "DE", 154: "NL", 164: "NO", 209: "SE"}
CURRENCY_NUMBERS = {0: "SEK", 1: "NOK", 2: "EUR", 3: "DKK"}
LEGACY_COUNTRIES = frozenset(COUNTRY_NUMBERS.values())

_LOCALES = {"AT": "de-AT", "CH": "de-CH", "DE": "de-DE", "DK": "da-DK", "GB": "en-GB", "SE": "sv-SE", "US": "en-US"}
_FIRST = {"EUR": "DE"}


def country_of(currency: str) -> str:
    """A country where that currency is taken."""
    known = {used: country for country, used in CURRENCIES.items()} | _FIRST
    return known.get(currency, "DE")


def locale_of(country: str) -> str:
    return _LOCALES.get(country, f"{country.lower()}-{country}")


def country_number(country: str) -> int:
    """The number of an ISO code; 0 for a country that the older generation never had."""
    return next((number for number, code in COUNTRY_NUMBERS.items() if code == country.upper()), 0)
