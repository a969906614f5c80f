from __future__ import annotations

from collections.abc import Iterator

import pytest
from gldv2_site import Site


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()
