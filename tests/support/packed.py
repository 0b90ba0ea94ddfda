"""A chat stream as its sender compressed it, flushed after every event; and bombs.

Made once by Brotli 1.2.1 (quality 5, `flush` after each event) and zstandard 0.25.0 (level 3,
`COMPRESSOBJ_FLUSH_BLOCK` after each), so that the tests need neither. The stream reports 3 tokens
read and 7 written.
"""

from base64 import b64decode

PARTS = {
    "br": [
        b64decode(
            "iz8AAASez1OPUO9xp36QCow1KBfiktTqBgfsxVHgw6lssj045ADzoPA7QZZHLM1QI1QBNqoApPriduGB"
            "ddhWt+qfdcLmpEEiTZ8gvs0bBqJxxB1CeP7f/zY2xmaIysQHRvCRNolRygA="
        ),
        b64decode("8AMAQMAhR3wwT4s4hLaKHsCK0NqDXnML"),
        b64decode("SAQAQBzjgHWQYaDxVh3oZAYewBKQtK261YHJuTEA"),
        b64decode("yAMAQCp1uKgBrICsxe0="),
        b64decode("aAMAQEKkFVlkGMA0cGSfF9HjIjUA"),
        b64decode(
            "IAQAQOxsXYmXBSbYpG5Csrf/r9zgNLbUCxJIrFkGD1kpN0E4XpOhkSbeuafn1xc8D2GMehK4nQkclV0iAw=="
        ),
        b64decode("aAAIZGF0YTogW0RPTkVdCgo="),
        b64decode("Aw=="),
    ],
    "zstd": [
        b64decode(
            "KLUv/QBYfAMAAsgaH6ApHXMVAnCQ/A6RWazI7m8WNLly9wUKxoMla7J6ujwIwhSYtZa9LzOUikExXUX8"
            "MD/paB6NMvi9N3sZ3+6oV6afwL2RafWNcGeJygp/rthFYbKsnYuxYEwaKfy9MRMH/rkAf0/6BjjUKAUA"
        ),
        b64decode("jAAAOOS4lueVjCECAAJjLAeTAQI="),
        b64decode("pAAASGTwn5Gp4oCNpwMADcOEymY4gSs="),
        b64decode("ZAAAGGTDqQIAfWAQJ8AG"),
        b64decode("rAAAYGQic3RvcCJ9XX0KCgIAb/CgUXAF"),
        b64decode(
            "5AEAxAJdLCJ1c2FnZSI6eyJwcm9tcHRfdG9rZW5zIjozLCI3LCJ0b3RhbDEwfX0KCgQANAvnLMFXsrliKQAB"
        ),
        b64decode("cAAAZGF0YTogW0RPTkVdCgo="),
        b64decode("AQAA"),
    ],
}
"""Coding → a part for each event, and the end."""

BOMB = b64decode(
    "y///PwAk8OKxQHLv//j//weABEAcFoDu/R////8AkACIwwLQvf/j//8fABIAcVgAuvd//P//A0ACIA4L"
    "QPf+j///fwBIAMRhAeje//H//w8ACYA4LADd+z/+//8BIAEQhwWge/83"
)
"""64 MiB of one letter, by Brotli."""

_BLOCK_BYTES = 128 << 10
_RLE = 1 << 1


def _block(*, last: bool) -> bytes:
    """So many times one letter, in four bytes (RFC 8878 §3.1.1.2)."""
    return (last | _RLE | _BLOCK_BYTES << 3).to_bytes(3, "little") + b"x"


# Magic number, no options, a window of one block.
_ZSTD_HEAD = b"\x28\xb5\x2f\xfd" + bytes([0, 7 << 3])
ZSTD_BOMB = _ZSTD_HEAD + _block(last=False) * ((32 << 30) // _BLOCK_BYTES - 1) + _block(last=True)
"""32 GiB of one letter, by hand: a decoder writes ten a second."""
