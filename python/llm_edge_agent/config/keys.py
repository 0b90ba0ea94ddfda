"""Virtual keys: how they are made, told from a typing error, and stored.

A key is `sk-edge-`, 32 random base62 digits, and 6 more that are the CRC-32 of what stands before
them, so that a mistyped or cut key is known as such without looking it up. Only its HMAC is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib

__all__ = ["HASH_PREFIX", "KEY_PREFIX", "check_key_format", "hash_key", "new_key"]

KEY_PREFIX = "sk-edge-"
HASH_PREFIX = "hmac-sha256:"

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BODY_CHARS = 32
_CHECKSUM_CHARS = 6
_KEY = re.compile(r"sk-edge-[0-9A-Za-z]{38}")


def new_key() -> str:
    """A new key with 190 bits of randomness.

    >>> check_key_format(new_key())
    True
    """
    body = KEY_PREFIX + "".join(secrets.choice(_DIGITS) for _ in range(_BODY_CHARS))
    return body + _checksum(body)


def check_key_format(key: str) -> bool:
    """Whether `key` is one of ours and its checksum is right."""
    if _KEY.fullmatch(key) is None:
        return False
    return _checksum(key[:-_CHECKSUM_CHARS]) == key[-_CHECKSUM_CHARS:]


def hash_key(pepper: bytes, key: str) -> str:
    """What a configuration holds instead of the key: `hmac-sha256:` and 64 hex digits."""
    return HASH_PREFIX + hmac.new(pepper, key.encode(), hashlib.sha256).hexdigest()


def _checksum(text: str) -> str:
    rest = zlib.crc32(text.encode())
    digits = ""
    for _ in range(_CHECKSUM_CHARS):
        rest, digit = divmod(rest, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
