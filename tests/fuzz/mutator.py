"""Bytes made out of valid ones: the same seed gives the same bytes, so that what was found can be found again."""

from collections.abc import Sequence
from random import Random

TOKENS: Sequence[bytes] = (
    *(
        b"NaN",
        b"Infinity",
        b"-1",
        b"0",
        b"1e999",
        b"1.0",
        b"9" * 30,
        b"9" * 5000,
        b"2147483648",
        b"true",
        b"null",
        b'""',
    ),
    *(b"[]", b"{}", b'"', b"\\u0000", b"\\ud800", b"\\u202e", b"\xc3", b"\xff\xfe", b"\0", b"\r\n", b",", b":", b"  "),
    *(b"<nil/>", b"<int>-1</int>", b"<i4>1</i4>", b"<double>nan</double>", b"<string></string>", b"<value/>", b"&a;"),
    *(
        b"<!DOCTYPE x [<!ENTITY a 'a'>]>",
        b"<![CDATA[x]]>",
        b"<!-- x -->",
        b"&#x661;",
        b"&#0;",
        b"</value>",
        b"<struct/>",
    ),
    *(
        b"[" * 3000,
        b'{"a":' * 3000,
        b"<array><data><value>" * 3000,
        b"\xe2\x80\xae",
        b"order_id",
        b"reservation",
        b"invoice",
    ),
)
STEPS_MAX = 4


def mutated(seed: bytes, others: Sequence[bytes], random: Random) -> bytes:
    """`seed` after one to four changes; `others` lend pieces."""
    content = bytearray(seed)
    for _ in range(random.randint(1, STEPS_MAX)):
        content = _changed(content, others, random)
    return bytes(content)


def _changed(content: bytearray, others: Sequence[bytes], random: Random) -> bytearray:
    start = random.randint(0, len(content))
    end = min(len(content), start + random.choice((0, 1, 1, 2, 8, 40)))
    match random.randrange(6):
        case 0:
            return content[:start] + random.randbytes(random.randint(1, 4)) + content[end:]
        case 1:
            return content[:start] + content[end:]
        case 2:
            return content[:end] + content[start:]
        case 3:
            return content[:start] + random.choice(TOKENS) + content[end:]
        case 4:
            other = random.choice(others)
            cut = random.randint(0, len(other))
            return content[:start] + other[cut : cut + random.randint(1, 60)] + content[end:]
    if content:
        content[start % len(content)] ^= 1 << random.randrange(8)
    return content
