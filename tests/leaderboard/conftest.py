"""One good bundle that tests change copies of."""

from __future__ import annotations

import pytest
from bundle_data import bundle


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a bundle in which nothing is wrong. Do not change it."""
    return bundle(tmp_path_factory.mktemp("good"))
