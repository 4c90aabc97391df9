"""Bytes made worse: the same few kinds of damage for every reader that is fuzzed."""

import random

# what parsers trip over: numbers beyond all bounds, depth, half characters, emptiness
TOKENS = (
    b"",
    b"\x00" * 64,
    b"\xff" * 8,
    b"\x7f\xff\xff\xff",
    b"nan",
    b"NaN",
    b"Infinity",
    b"-inf",
    b"1e30",
    b"1e999",
    b"-1",
    b"0",
    b"9" * 25,
    b"9" * 5000,
    b"[" * 3000,
    b"{" * 3000,
    b'{"a":' * 200,
    b"\\ud800",
    b"\xed\xa0\x80",
    b'"',
    b"'",
    b"\n",
    b",",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"\xef\xbb\xbf",
    b"../../etc/passwd",
    b"=1+1",
)


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Return a content with one to four faults."""
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        _FAULTS[rng.randrange(len(_FAULTS))](changed, rng)
    return bytes(changed)


def _place(content: bytearray, rng: random.Random) -> int:
    """Choose a place, half of the time among the first bytes, where headers are."""
    end = len(content)
    if rng.random() < 0.5:
        end = min(end, 256)
    return rng.randrange(end + 1)


def _flip_bit(content: bytearray, rng: random.Random) -> None:
    if content:
        place = min(_place(content, rng), len(content) - 1)
        content[place] ^= 1 << rng.randrange(8)


def _set_bytes(content: bytearray, rng: random.Random) -> None:
    place = _place(content, rng)
    size = rng.choice((1, 2, 4, 8))
    content[place : place + size] = rng.randbytes(size)


def _insert_token(content: bytearray, rng: random.Random) -> None:
    place = _place(content, rng)
    content[place:place] = rng.choice(TOKENS)


def _replace_token(content: bytearray, rng: random.Random) -> None:
    """Put a token in the place of a number or a word."""
    place = _place(content, rng)
    end = place
    while end < len(content) and end - place < 40 and chr(content[end]) not in ' ,:"\n]}=':
        end += 1
    content[place:end] = rng.choice(TOKENS)


def _cut(content: bytearray, rng: random.Random) -> None:
    del content[_place(content, rng) :]


def _drop(content: bytearray, rng: random.Random) -> None:
    place = _place(content, rng)
    del content[place : place + rng.choice((1, 4, 32, 512))]


def _repeat(content: bytearray, rng: random.Random) -> None:
    place = _place(content, rng)
    piece = content[place : place + rng.choice((1, 8, 128))]
    content[place:place] = piece * rng.choice((1, 2, 50))


_FAULTS = (
    _flip_bit,
    _flip_bit,
    _set_bytes,
    _insert_token,
    _replace_token,
    _replace_token,
    _cut,
    _drop,
    _repeat,
)
