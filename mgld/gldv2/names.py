"""The name of a landmark, read from its Wikimedia Commons category address.

Definition: docs/definitions.md, "Name". The category address is GLDv2's only source of names.
"""

from __future__ import annotations

import codecs
import unicodedata
from urllib.parse import unquote_to_bytes

MARKER = "/wiki/Category:"


def _keep_percent(error: UnicodeError) -> tuple[str, int]:
    """Codec error handler: bytes that are no UTF-8 stay visible as `%XX` instead of being lost."""
    assert isinstance(error, UnicodeDecodeError)
    bad = error.object[error.start : error.end]
    return "".join(f"%{byte:02X}" for byte in bad), error.end


codecs.register_error("mgld-keep-percent", _keep_percent)


def landmark_name(category_url: str) -> str:
    """The landmark's name: what follows `/wiki/Category:`, decoded and normalised.

    Percent-decoded as UTF-8, underscores to spaces, trimmed, Unicode NFC. Scheme and host are
    ignored (http, https and mobile hosts occur). GLDv2's addresses have neither queries nor
    fragments, so `?` and `#` belong to the name. A percent sequence that is not valid UTF-8 is kept
    as it is written, so that `%E9` and `%E8` stay two names; `%25E9`, which decodes to the text
    `%E9`, is the same name as `%E9`.

    Args:
        category_url: a row of GLDv2's `train_label_to_category.csv`, such as
            `http://commons.wikimedia.org/wiki/Category:Eiffel_Tower`.

    Returns:
        The name, never empty: `Eiffel Tower`.

    Raises:
        ValueError: there is nothing to name.
    """
    _, marker, title = category_url.partition(MARKER)
    if not marker:
        raise ValueError(f"no {MARKER!r} in the category address {category_url!r}")
    decoded = unquote_to_bytes(title).decode("utf-8", errors="mgld-keep-percent")
    name = unicodedata.normalize("NFC", decoded.replace("_", " ").strip())
    if not name:
        raise ValueError(f"nothing follows {MARKER!r} in the category address {category_url!r}")
    return name
