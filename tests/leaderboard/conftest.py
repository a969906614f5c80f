"""One good bundle that tests change copies of, and sites to visit in a browser."""

from __future__ import annotations

import pytest
from bundle_data import bundle
from site_browser import browser, hostile, records, site, visit  # noqa: F401  # fixtures


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a bundle in which nothing is wrong. Do not change it."""
    return bundle(tmp_path_factory.mktemp("good"))
