"""Pages of the site read as a reader would: links, tables, texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class Page(HTMLParser):
    """texts: all of it outside scripts, blanks as one; rows: of tables, a list of cells each;
    links: (attribute, address); ids; elements: how often each stands there."""

    texts: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    elements: list[str] = field(default_factory=list)
    attributes: set[str] = field(default_factory=set)
    labels: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._skip, self._cell = 0, False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id" and value:
                self.ids.add(value)
            if name in ("href", "src") and value is not None:
                self.links.append((name, value))
            if name == "aria-label" and value:
                self.labels.append(value)
        self._skip += tag in ("script", "style")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            self._cell = True
        elif self._cell:
            self.rows[-1][-1] += " "

    def handle_endtag(self, tag: str) -> None:
        self._skip -= tag in ("script", "style")
        if tag in ("td", "th"):
            self._cell = False
            self.rows[-1][-1] = " ".join(self.rows[-1][-1].split())

    def handle_data(self, data: str) -> None:
        if self._skip:
            return
        self.texts.append(data)
        if self._cell:
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        """All text."""
        return " ".join("".join(self.texts).split())


def read_page(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    return page


def broken_links(site: Path) -> list[str]:
    """Links that lead nowhere within the site, or out of it by anything but https."""
    site = site.resolve()
    pages = {path: read_page(path) for path in site.rglob("*.html")}
    found = []
    for path, page in pages.items():
        for name, address in page.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if parts.scheme != "https" or name != "href":
                    found.append(f"{path.name}: {name}={address}")
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            inside = target.is_relative_to(site) and target.is_file()
            named = parts.fragment and "=" not in parts.fragment
            if not inside or (named and parts.fragment not in pages[target].ids):
                found.append(f"{path.name}: {name}={address}")
    return found
