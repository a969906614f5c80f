"""What the pages share whose cases a reader leafs through: the one script, and its hash."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any


def viewer_script(*names: str) -> dict[str, Any]:
    """`script`, the text of templates/viewer.js and of the other `names`, and `script_hash`.

    The hash is for the page's policy, by which no other script runs.
    """
    from markupsafe import Markup

    folder = files("mgld.report") / "templates"
    text = "".join((folder / each).read_text(encoding="utf-8") for each in ("viewer.js", *names))
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return {"script": Markup(text), "script_hash": digest}
