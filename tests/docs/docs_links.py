"""Links of a built site and of Markdown files, and those among them that lead nowhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {"script": "src", "img": "src", "source": "src", "iframe": "src", "link": "href"}
"""Elements whose address a browser asks for by itself."""
_MARKDOWN = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)


@dataclass
class Page(HTMLParser):
    """Addresses that a page loads, addresses that it links to, and its anchors."""

    loaded: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        if tag == "a" and "href" in values:
            self.linked.append(values["href"])
        elif LOADS.get(tag) in values:
            self.loaded.append(values[LOADS[tag]])


@cache
def read_page(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def site_problems(site: Path) -> list[str]:
    """Links and anchors that are not there, and whatever is asked of another site."""
    problems = []
    for path in sorted(site.rglob("*.html")):
        page, name = read_page(path), path.relative_to(site).as_posix()
        problems += [f"{name} loads {each}" for each in page.loaded if urlsplit(each).netloc]
        for link in page.loaded + page.linked:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link.startswith("data:"):
                continue
            if name == "404.html":  # served for any address; its links are from the root
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                problems.append(f"{name}: {link} is not there")
                continue
            anchors = read_page(target).anchors if target.suffix == ".html" else set()
            if parts.fragment and anchors and unquote(parts.fragment) not in anchors:
                problems.append(f"{name}: {link} has no such anchor")
    for path in sorted(site.rglob("*.css")):
        used = re.findall(r"url\(['\"]?((?:https?:)?//[^)]*)", path.read_text(encoding="utf-8"))
        problems += [f"{path.name} loads {each}" for each in used]
    return problems


def markdown_problems(path: Path) -> list[str]:
    """Relative links of a Markdown file, as a repository's page shows it, that lead nowhere."""
    problems = []
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.S | re.M)
    for link in _MARKDOWN.findall(text):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not target.exists():
            problems.append(f"{path.name}: {link} is not there")
        elif parts.fragment and target.suffix == ".md" and parts.fragment not in _slugs(target):
            problems.append(f"{path.name}: {link} has no such heading")
    return problems


def _slugs(path: Path) -> set[str]:
    headings = _HEADING.findall(path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
