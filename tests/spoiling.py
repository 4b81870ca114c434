"""Spoilt bytes, and what a reader must make of them: usable numbers, or one clear line."""

import os
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from hms.errors import UserError

COUNT = int(os.environ.get("HMS_FUZZ", "0"))

WORDS = [
    b"", b"nan", b"inf", b"-1", b"1e400", b"99999999999999999999", b"9223372036854775808", b"0x10", b'"', b'""', b"'",
    b",", b"\n", b"\r\n", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b" ", b"1.5", b"true", b"null", b"\xc3\xa9", b"1_000",
    b"=1+1", b"\t", b"[]", b"{}", b"${oc.env:HOME}", b"!!python/object:os.system", b"\xff\xff\xff\x7f", b"\0\0\0\0",
]  # fmt: skip


def times(few: int) -> int:
    return COUNT or few


def spoilt(rng: random.Random, whole: bytes, first: int | None = None) -> bytes:
    """The bytes with some changed, deleted, doubled or inserted, mostly among the `first` ones or at the end."""
    data = bytearray(whole)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        reach = first if first and rng.random() < 0.7 else len(data)
        at = rng.randrange(max(1, min(reach, len(data))))
        if rng.random() < 0.2:
            at = max(0, len(data) - rng.randrange(1, 2000))
        match rng.randrange(7):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                data[at : at + 1] = bytes([data[at] ^ 1 << rng.randrange(8)]) if data else b""
            case 2:
                data[at:at] = rng.choice(WORDS)
            case 3:
                del data[at : at + rng.choice([1, 2, 8, 100])]
            case 4:
                data = data[:at]
            case 5:
                data[at:at] = data[at : at + rng.choice([1, 16, 200])]
            case 6:
                word = rng.choice(WORDS)
                data[at : at + len(word)] = word
    return bytes(data)


def assert_usable_or_refused(read: Callable[[], Any], use: Callable[[Any], None] = lambda _: None) -> None:
    """Call `read`, which may raise UserError; otherwise `use` must accept its result."""
    with suppress(UserError):
        use(read())


def no_infinity(found: np.ndarray) -> None:
    assert not np.isinf(found).any()
