"""What the code cites as a definition is in the repository, under that heading."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for folder in ("mgld", "tests", "benchmarks", "docs", "cards")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in (".py", ".md", ".html", ".yaml") and path != Path(__file__).resolve()
)
# A heading may be cited across a line break of a docstring or of a comment.
CITATION = re.compile(r'(docs/[a-z_]+\.md)(?:,[\s#]+"([^"]+)")?')


def _headings(document: Path) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE))


def test_cited_documents_and_headings_exist() -> None:
    cited = 0
    for path in SOURCES:
        for document, heading in CITATION.findall(path.read_text(encoding="utf-8")):
            cited += 1
            assert (ROOT / document).is_file(), f"{path}: no {document}"
            words = " ".join(heading.split())
            assert not words or words in _headings(ROOT / document), f"{path}: no {words!r}"
    assert cited >= 10


@pytest.mark.parametrize("absent", ["DESIGN.md", "PAPER.md"])
def test_nothing_cites_a_document_that_is_not_here(absent: str) -> None:
    assert [str(path) for path in SOURCES if absent in path.read_text(encoding="utf-8")] == []
