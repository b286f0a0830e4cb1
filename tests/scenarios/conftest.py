"""An installed service and its provider, as the fault tests have them."""

from tests.faults.conftest import installed, provider

__all__ = ["installed", "provider"]
