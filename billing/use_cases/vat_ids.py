"""VAT ids: shape and check digits of a member state's number. Whether it is in force is for VIES to say, not for us."""

from stdnum.eu import vat
from stdnum.exceptions import ValidationError
from stdnum.util import clean

from billing.domain.errors import Invalid
from billing.domain.tax import EU_MEMBERS

TEXT_MAX = 40

_SHAPES = {
    "AT": "ATU and 8 digits",
    "BE": "BE and 10 digits",
    "BG": "BG and 9 or 10 digits",
    "CY": "CY, 8 digits and a letter",
    "CZ": "CZ and 8 to 10 digits",
    "DE": "DE and 9 digits",
    "DK": "DK and 8 digits",
    "EE": "EE and 9 digits",
    "ES": "ES and 9 digits or letters",
    "FI": "FI and 8 digits",
    "FR": "FR, 2 digits or letters and 9 digits",
    "GR": "EL and 9 digits",
    "HR": "HR and 11 digits",
    "HU": "HU and 8 digits",
    "IE": "IE and 8 or 9 digits and letters",
    "IT": "IT and 11 digits",
    "LT": "LT and 9 or 12 digits",
    "LU": "LU and 8 digits",
    "LV": "LV and 11 digits",
    "MT": "MT and 8 digits",
    "NL": "NL, 9 digits, B and 2 digits",
    "PL": "PL and 10 digits",
    "PT": "PT and 9 digits",
    "RO": "RO and 2 to 10 digits",
    "SE": "SE and 12 digits, the last two 01",
    "SI": "SI and 8 digits",
    "SK": "SK and 10 digits",
}


def checked_vat_id(text: str, country: str) -> str:
    """The VAT id as it is stored and sent: upper case, without separators, country prefix first (Greece: EL).

    `country` is the ISO 3166 code of the member state that the customer lives in. Raises `Invalid` at `vat_id`, saying
    what is expected there, for any other country, prefix, shape or check digit; what was sent is not repeated.
    """
    if country not in EU_MEMBERS:
        raise Invalid("a VAT id is kept for customers in the European Union only", where="vat_id")
    wrong = Invalid(f"this is no VAT id of {country}: {_SHAPES[country]}, check digits right", where="vat_id")
    if len(text) > TEXT_MAX:
        raise wrong
    compact = clean(text, " -.,/:").upper().strip()
    prefix = "EL" if country == "GR" else country
    if country == "GR" and compact.startswith("GR"):
        compact = prefix + compact[2:]
    if not compact.isascii() or not compact.startswith(prefix):
        raise wrong
    try:
        return vat.validate(compact)
    except ValidationError:
        raise wrong from None
