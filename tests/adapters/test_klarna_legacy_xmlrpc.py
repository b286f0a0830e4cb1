"""What is written is what Klarna's clients write; what is read follows the grammar exactly, or is nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.adapters.klarna_legacy.xmlrpc import Fault, Value, read_call, read_response, written_call
from billing.domain.errors import Invalid

PROLOG = b"<?xml version='1.0' encoding='ISO-8859-1'?>"
BOMB = (
    b"<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;&b;&b;&b;'>]>"
)


def holding(value: str | bytes) -> bytes:
    """A whole answer around what stands inside <value>."""
    content = value if isinstance(value, bytes) else value.encode("iso-8859-1")
    return PROLOG + b"<methodResponse><params><param><value>" + content + b"</value></param></params></methodResponse>"


def fault(members: str) -> bytes:
    return f"<methodResponse><fault><value><struct>{members}</struct></value></fault></methodResponse>".encode()


def member(name: str, value: str) -> str:
    return f"<member><name>{name}</name><value>{value}</value></member>"


# --- writing -----------------------------------------------------------------------------------------------------


def test_a_call_is_written_in_iso_8859_1_with_references_for_the_rest() -> None:
    body = written_call("x", ["å", "\u20ac & <"])
    assert body.startswith(b"<?xml version='1.0' encoding='iso-8859-1'?>")
    assert b"<string>\xe5</string>" in body
    assert b"<string>&#8364; &amp; &lt;</string>" in body


def test_nothing_is_an_empty_array_or_string_as_the_python_client_sends_it() -> None:
    assert b"<array><data>\n</data></array>" in written_call("x", [[]])
    assert b"<string></string>" in written_call("x", [""])


def test_the_greatest_number_is_taken_and_the_next_one_refused() -> None:
    assert b"<int>2147483647</int>" in written_call("x", [2**31 - 1])
    with pytest.raises(Invalid):
        written_call("x", [{"a": [2**31]}])


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\n", "\x85", "\ud800", "\uffff"])
def test_a_character_that_xml_would_lose_is_refused(character: str) -> None:
    with pytest.raises(Invalid):
        written_call("x", [{"name": character}])


texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"], exclude_characters="\ufffe\uffff"))
values = st.recursive(
    st.booleans() | st.integers(-(2**31) + 1, 2**31 - 1) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(values, max_size=4))
def test_what_is_written_reads_back_as_it_was(params: list[Value]) -> None:
    assert read_call(written_call("credit_part", params)) == ("credit_part", params)


# --- reading -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inside", "value"),
    [
        ("ok", "ok"),
        ("<string>ok</string>", "ok"),
        ("<string/>", ""),
        ("", ""),
        ("<string> \xe5 </string>", " \xe5 "),
        ("<int>-7</int>", -7),
        ("<i4>2147483647</i4>", 2**31 - 1),
        ("<boolean>1</boolean>", True),
        ("<double>22.2</double>", 22.2),
        (
            "\n<array><data><value>no_risk</value><value><string>99</string></value></data></array>\n",
            ["no_risk", "99"],
        ),
        (f"<struct>{member('cost', '<int>0</int>')}</struct>", {"cost": 0}),
        ("<struct/>", {}),
    ],
)
def test_a_value_of_the_grammar_is_read(inside: str, value: Value) -> None:
    assert read_response(holding(inside)) == value


def test_a_fault_is_read_with_its_code() -> None:
    body = fault(member("faultCode", "<int>9114</int>") + member("faultString", "fel"))
    assert read_response(body) == Fault(9114, "fel")


@pytest.mark.parametrize(
    "members",
    [
        member("faultCode", "<string>9114</string>") + member("faultString", "x"),
        member("faultCode", "<boolean>1</boolean>") + member("faultString", "x"),
        member("faultCode", "<int>1</int>"),
        member("faultCode", "<int>1</int>") + member("faultString", "<int>1</int>"),
        member("faultCode", "<int>1</int>") * 2 + member("faultString", "x"),
        member("faultCode", "<int>1</int>") + member("faultString", "x") + member("more", "x"),
    ],
)
def test_half_a_fault_is_none(members: str) -> None:
    assert read_response(fault(members)) is None


@pytest.mark.parametrize(
    "inside",
    [
        "<int>2147483648</int>",
        "<int>9999999999999999999999</int>",
        "<int>1.0</int>",
        "<int></int>",
        "<int>\u0661</int>".encode(),
        "<boolean>true</boolean>",
        "<double>NaN</double>",
        "<double>1e999</double>",
        "<nil/>",
        "<dateTime.iso8601>20240101T00:00:00</dateTime.iso8601>",
        "<base64>AAAA</base64>",
        "ok<string>no</string>",
        "<string>ok</string>no",
        "<string>ok</string><string>no</string>",
        "<string><b>ok</b></string>",
        "<array><value>x</value></array>",
        "<array><data>stray<value>x</value></data></array>",
        "<struct><member><name>a</name></member></struct>",
        f"<struct>{member('a', 'x')}{member('a', 'y')}</struct>",
        "<array><data><value>" * 30 + "</value></data></array>" * 30,
        "<array><data><value>" * 5000 + "</value></data></array>" * 5000,
    ],
)
def test_a_value_outside_the_grammar_is_nothing(inside: str | bytes) -> None:
    assert read_response(holding(inside)) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ok",
        b"<html><body>Please log in</body></html>",
        b"<methodResponse/>",
        b"<methodResponse><params/></methodResponse>",
        b"<methodResponse><params><param/></params></methodResponse>",
        holding("ok")[:-5],
        holding("ok") + holding("ok"),
        holding("ok").replace(b"methodResponse", b"methodcall"),
        holding(b"\xff").replace(b"ISO-8859-1", b"UTF-8"),
        holding("ok").replace(b"ISO-8859-1", b"no-such-thing"),
        holding("ok").replace(b"ISO-8859-1", b"big5"),
        BOMB + holding("&c;").removeprefix(PROLOG),
        b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'>" + holding("ok").removeprefix(PROLOG),
        b"<a>" * 150_000 + b"</a>" * 150_000,
        b"<methodResponse><params><param><value>a</value></param><param><value>b</value></param></params></methodResponse>",
    ],
)
def test_anything_but_one_whole_answer_is_nothing(body: bytes) -> None:
    assert read_response(body) is None


@given(st.binary(max_size=80) | st.text(alphabet="<>/avluestringint0&;x ", max_size=60).map(lambda t: holding(t)))
def test_no_bytes_at_all_make_reading_raise(body: bytes) -> None:
    read_response(body)
    read_call(body)
