"""Numbers and licences in words."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_CC = re.compile(r"^/(licenses|publicdomain)/(?P<terms>[a-z-]+)/(?P<version>[\d.]+)")


def number(value: float) -> str:
    """12345 as "12,345"; halves of a median keep their half."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def percent(share: float, digits: int = 0) -> str:
    """0.425 as "42.5 %"; what is not nothing is never written as 0, nor what is not all as 100."""
    smallest = 10.0**-digits
    value = 100 * share
    if 0 < value < smallest / 2:
        return f"< {smallest:g} %"
    if 100 - smallest / 2 < value < 100:
        return f"> {100 - smallest:g} %"
    return f"{value:.{digits}f} %"


def dollars(amount: float) -> str:
    """1234.5 as "$1,234.50"; below a dollar four decimals, for what a small sample costs."""
    return f"${amount:,.2f}" if amount >= 1 or amount == 0 else f"${amount:.4f}"


def signed(value: float, *, plus: bool = False) -> str:
    """Three decimals with a true minus sign; `plus` writes the sign of positive numbers, too."""
    return f"{value:{'+' if plus else ''}.3f}".replace("-", "−")


def plural(count: int, one: str, many: str | None = None) -> str:
    """1 -> "1 image", 2 -> "2 images"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def web_address(text: str | None) -> str | None:
    """`text` if it is an http(s) address that may stand in a link, else None.

    Metadata is not trusted: `javascript:` and friends must never become a link.
    """
    if not text:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return text if parts.scheme in ("http", "https") and parts.hostname else None


def licence_name(text: str | None) -> str:
    """Short name of a Creative Commons address ("CC BY-SA 3.0"); any other text as it is."""
    if not text:
        return "licence not stated"
    address = web_address(text)
    if address is None:
        return text
    parts = urlsplit(address)
    match = _CC.match(parts.path)
    if (parts.hostname or "").removeprefix("www.") != "creativecommons.org" or match is None:
        return text
    special = {"zero": "CC0", "mark": "Public Domain Mark"}
    return f"{special.get(match['terms']) or 'CC ' + match['terms'].upper()} {match['version']}"
