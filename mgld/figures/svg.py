"""A matplotlib SVG made fit for a page: theme colours, own ids, nothing that leaks out of it."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from mgld.figures.style import DARK, THEME

SVG_NS = "http://www.w3.org/2000/svg"
XLINK_NS = "http://www.w3.org/1999/xlink"
_FONT = re.compile(r"font:[^;]*?(?P<weight>\b(?:bold|[1-9]00)\s+)?(?P<size>[\d.]+)px[^;]*")
# Characters that XML 1.0 forbids; they reach a figure only through hostile category labels.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def plain(text: str) -> str:
    """`text` without the control characters that an SVG may not hold."""
    return _FORBIDDEN.sub("", text)


def themed_svg(raw: str, prefix: str, *, alt: str, standalone: bool) -> str:
    """Rewrite matplotlib's SVG `raw`.

    Every id gets `prefix`, so that several figures fit in one page; theme colours become CSS
    variables with the light colour as fallback; fonts become the page's. The global `<style>` and
    the metadata matplotlib writes are dropped. `alt` becomes the accessible name. `standalone`
    adds the namespaces and a style sheet for light and dark that a file of its own needs.
    """
    root = ElementTree.fromstring(raw)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG_NS}}}metadata", f"{{{SVG_NS}}}style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for key in list(element.attrib):
            value = element.attrib.pop(key)
            element.attrib[key.rpartition("}")[2]] = _attribute(key, value, prefix)
    # Defaults that matplotlib sets for all elements by the global style removed above.
    root.set("style", "stroke-linejoin:round;stroke-linecap:butt")
    root.set("role", "img")
    root.set("aria-label", alt)
    # The view box carries the shape; width and height would fix the size in points.
    width = root.attrib.pop("width")
    root.attrib.pop("height")
    if standalone:
        root.set("xmlns", "http://www.w3.org/2000/svg")
        root.set("width", width)
        sheet = ElementTree.Element("style")
        sheet.text = _sheet()
        root.insert(0, sheet)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _attribute(key: str, value: str, prefix: str) -> str:
    name = key.rpartition("}")[2]
    if name == "id":
        return f"{prefix}-{value}"
    if name == "href" and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    value = value.replace("url(#", f"url(#{prefix}-")
    if name in ("style", "fill", "stroke"):
        for colour, variable in THEME.items():
            value = value.replace(colour, f"var({variable}, {colour})")
        value = _FONT.sub(_font, value)
    return value


def _font(match: re.Match[str]) -> str:
    weight = "600" if match["weight"] else "400"
    return f"font-size:{match['size']}px;font-weight:{weight}"


def _sheet() -> str:
    light = ";".join(f"{variable}:{colour}" for colour, variable in THEME.items())
    dark = ";".join(f"{THEME[colour]}:{shade}" for colour, shade in DARK.items())
    return (
        f":root{{{light};background:var(--surface);font-family:system-ui,sans-serif}}"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    )
