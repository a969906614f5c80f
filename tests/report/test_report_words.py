"""Numbers, licences and addresses in words; what is missing is named before any work."""

from __future__ import annotations

import pytest

from mgld.report.words import licence_name, number, percent, plural, signed, web_address


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (1, "100 %"), (0.425, "42 %"), (0.001, "< 1 %"), (0.9999, "> 99 %")],
)
def test_percent_never_says_none_or_all_of_what_is_not(share, text):
    assert percent(share) == text


def test_percent_with_digits():
    assert percent(0.00101, 2) == "0.10 %"
    assert percent(0.000001, 2) == "< 0.01 %"


def test_numbers():
    assert number(12345) == "12,345"
    assert number(2.5) == "2.5"
    assert signed(-0.5) == "−0.500"
    assert signed(0.5, plus=True) == "+0.500"
    assert plural(1, "image") == "1 image"
    assert plural(2000, "image") == "2,000 images"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://creativecommons.org/licenses/by-sa/3.0/", "CC BY-SA 3.0"),
        ("http://www.creativecommons.org/licenses/by/4.0/deed.en", "CC BY 4.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0 1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "Public Domain Mark 1.0"),
        ("https://evil.example/licenses/by/4.0/", "https://evil.example/licenses/by/4.0/"),
        ("Attribution", "Attribution"),
        (None, "licence not stated"),
    ],
)
def test_licences(given, shown):
    assert licence_name(given) == shown


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)", "data:text/html,x", "//host/x", "http://", "http://[", "", None]
)
def test_only_web_addresses_become_links(text):
    assert web_address(text) is None
