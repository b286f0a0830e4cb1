import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass

import pytest

from billing.domain.tokens import Token

TEXT = "5a11ab1e-70ce-4000-8000-0123456789ab"
TOKEN = Token(TEXT)


@dataclass
class Holder:
    token: Token


@pytest.mark.parametrize(
    "print_it",
    [
        repr,
        str,
        format,
        lambda token: f"{token} {token!r} {token!s} {token:>40}",
        lambda token: "{} {!r}".format(token, token),  # noqa: UP032 - the old forms are what is tested
        lambda token: "%s %r %.99s" % (token, token, token),  # noqa: UP031 - the old forms are what is tested
        lambda token: repr([token, {"token": token}, Holder(token)]),
        lambda token: repr(ValueError(token)) + str(ValueError("bad", token)),
    ],
)
def test_a_token_prints_as_hidden(print_it: Callable[[Token], str]) -> None:
    assert TEXT not in print_it(TOKEN)
    assert "Token(hidden)" in print_it(TOKEN)


def test_a_hidden_token_shows_nothing_but_that_it_is_one() -> None:
    assert (repr(TOKEN), str(TOKEN), f"{TOKEN:>40}") == ("Token(hidden)",) * 3


def test_a_token_does_not_reach_a_log(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("sample").warning("charging %s", TOKEN, extra={"token": TOKEN})
    assert TEXT not in caplog.text + repr(vars(caplog.records[0]))


def test_a_token_does_not_show_in_a_traceback_with_locals() -> None:
    def fails(token: Token) -> None:
        raise ValueError(token)

    with pytest.raises(ValueError, match="hidden") as failure:
        fails(Token("".join(reversed(TEXT))))
    lines = traceback.TracebackException.from_exception(failure.value, capture_locals=True).format()
    assert "".join(reversed(TEXT)) not in "".join(lines)


@pytest.mark.parametrize(
    "take_along",
    [
        copy.copy,
        copy.deepcopy,
        *(lambda token, protocol=protocol: pickle.dumps(token, protocol) for protocol in range(6)),
        lambda token: copy.deepcopy({"nested": [token]}),
        lambda token: pickle.dumps({"nested": [token]}),
        lambda token: asdict(Holder(token)),
        json.dumps,
        vars,
        hash,
        bytes,
        list,
        len,
        sorted,
        lambda token: token < token,
        lambda token: token + "",
    ],
)
def test_a_token_is_not_copied_pickled_hashed_ordered_or_taken_apart(take_along: Callable[[Token], object]) -> None:
    with pytest.raises(TypeError) as refusal:
        take_along(TOKEN)
    assert TEXT not in str(refusal.value)


def test_only_reveal_gives_the_text() -> None:
    assert TOKEN.reveal() == TEXT


def test_tokens_are_equal_by_their_text_and_to_nothing_else() -> None:
    assert Token("nyckel-åäö") == Token("nyckel-åäö")
    assert Token(TEXT) != Token(TEXT[:-1] + "1")
    assert TOKEN != TEXT
    assert TEXT != TOKEN


@pytest.mark.parametrize(
    ("take_along", "why"),
    [
        (hash, "a token is not a key"),
        (copy.copy, "a token is not copied or pickled"),
        (lambda token: token.__getstate__(), "a token has no state to give out"),
    ],
)
def test_a_refusal_says_what_a_token_does_not_do(take_along: Callable[[Token], object], why: str) -> None:
    with pytest.raises(TypeError, match=f"^{why}$"):
        take_along(TOKEN)


def test_text_that_is_no_unicode_is_compared_without_an_error() -> None:
    assert Token("\ud800") == Token("\ud800")
    assert Token("\ud800") != Token("\ud801")
