"""Keys from the text of an environment variable: for development only, since an environment is easily read."""

import logging
import os
from collections.abc import Callable

from billing.adapters.keys_local import LocalKeys, parsed, sound


class EnvironmentKeys(LocalKeys):
    """The keys in `text`, in the form of a key file. Logs a warning; raises `NotReady` saying what is wrong."""

    def __init__(self, text: str, random: Callable[[int], bytes] = os.urandom) -> None:
        # Shells take the last newline away.
        keys = parsed(f"{text.rstrip()}\n".encode(errors="replace") if text.strip() else b"")
        # A traceback with locals must not show it.
        del text
        super().__init__(sound(keys, "the variable with the keys"), random)
        logging.getLogger(__name__).warning("the keys come from an environment variable: for development only")
