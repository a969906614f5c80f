"""Reading a published CSV so that every row is accounted for.

The csv module parses one physical line at a time, which gives true line numbers and lets a damaged
row be given up without losing the lines it would swallow (an unclosed quote reads on to the next
quote, thousands of rows later). Columns go to Arrow in blocks; only bad blocks are looked at row by
row. 4.1 million rows take well under a minute.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.compute as pc

BLOCK_ROWS = 1 << 16
RAW_CHARACTERS = 500
MAX_ROW_LINES = 100  # so that a quote left open in a file of millions of lines stays cheap

REJECT_SCHEMA = pa.schema(
    [
        ("table", pa.string()),
        ("line", pa.int64()),
        ("key", pa.string()),
        ("reason", pa.string()),
        ("raw", pa.string()),
    ]
)
"""file name; line number of the row's start, from 1; its first field; why; the row, cut to 500."""


@dataclass(frozen=True)
class CsvRows:
    """The well-formed rows of one file, and those that were not.

    `table`: the columns asked for (string, trimmed) and `line` (int64, 1 is the header).
    `rejects`: rows that could not be parsed, in REJECT_SCHEMA. `total`: rows seen, header and blank
    lines not counted; always len(table) + len(rejects).
    """

    name: str
    table: pa.Table
    rejects: pa.Table
    total: int


class _Lines:
    """Physical lines of a file, remembering those of the current row so that they can go back."""

    def __init__(self, handle: TextIO) -> None:
        self._handle = handle
        self._returned: deque[str] = deque()
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.taken) >= MAX_ROW_LINES:
            raise csv.Error(f"a quote is not closed within {MAX_ROW_LINES} lines")
        line = self._returned.popleft() if self._returned else next(self._handle)
        self.taken.append(line)
        return line

    def give_back_all_but_first(self) -> None:
        """Return the row's later lines, to be read as rows of their own."""
        self._returned.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def read_csv(
    path: Path, columns: Sequence[str], *, continuation: re.Pattern[str] | None = None
) -> CsvRows:
    """Read the named `columns` of a CSV file with a header; other columns are ignored.

    UTF-8 with or without BOM, any line ends, quoted commas. A row over several lines is accepted
    only where `continuation` is given and matches each of its later lines; otherwise its first line
    is rejected and the next is read as a row.

    Raises ValueError, naming the file and the columns, for a missing header or missing columns.
    """
    builder = _Builder(path.name, columns)
    # surrogateescape: bytes that are no UTF-8 survive to the block they are in, and only that row
    # is rejected.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as handle:
        lines = _Lines(handle)
        reader = csv.reader(lines)
        start = 1
        header: list[str] | None = None
        while True:
            row: list[str] | None = None
            problem = ""
            try:
                row = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                problem = f"not readable as CSV: {error}"
            if header is None:
                if problem or "".join(lines.taken).strip():
                    header = [field.strip() for field in row or []]
                    builder.set_header(header, path)
            elif row is None or len(row) != len(header) or len(lines.taken) > 1:
                if row is not None and not "".join(lines.taken).strip():
                    pass  # a blank line is no row
                elif row is not None and _is_whole(row, header, lines.taken, continuation):
                    builder.add(start, row)
                else:
                    if len(lines.taken) > 1:
                        lines.give_back_all_but_first()
                        problem = "a quote is not closed on its line"
                    elif row is not None:
                        problem = f"{len(row)} columns where the header has {len(header)}"
                    builder.reject(start, lines.taken[0], problem)
            else:
                builder.add(start, row)
            start += len(lines.taken)
            lines.taken.clear()
    if header is None:
        raise ValueError(f"{path} is empty: expected a header with {', '.join(columns)}")
    return builder.finish()


def _is_whole(
    row: list[str], header: list[str], taken: list[str], continuation: re.Pattern[str] | None
) -> bool:
    """Whether a row over several lines is one row, rather than one that swallowed the next."""
    return (
        len(row) == len(header)
        and continuation is not None
        and all(continuation.match(line) for line in taken[1:])
    )


def printable(text: str) -> str:
    """`text` as valid Unicode (stray bytes as `\\udcXX`), cut to the length kept in rejects."""
    return text[:RAW_CHARACTERS].encode("utf-8", "backslashreplace").decode("utf-8")


class _Builder:
    """Collects rows into Arrow blocks."""

    def __init__(self, name: str, columns: Sequence[str]) -> None:
        self.name = name
        self.columns = list(columns)
        self.schema = pa.schema([(column, pa.string()) for column in columns]).append(
            pa.field("line", pa.int64())
        )
        self.positions: list[int] = []
        self.rows: list[list[str]] = []
        self.lines: list[int] = []
        self.blocks: list[pa.Table] = []
        self.rejects: list[tuple[str, int, str, str, str]] = []
        self.total = 0

    def set_header(self, header: list[str], path: Path) -> None:
        missing = [column for column in self.columns if header.count(column) != 1]
        if missing:
            found = printable(", ".join(header))
            raise ValueError(
                f"{path}: each of the columns {', '.join(self.columns)} must be there once, "
                f"but {', '.join(missing)} is missing or repeated; its first line reads: {found}"
            )
        self.positions = [header.index(column) for column in self.columns]

    def add(self, line: int, row: list[str]) -> None:
        self.total += 1
        self.rows.append(row)
        self.lines.append(line)
        if len(self.rows) >= BLOCK_ROWS:
            self._close_block()

    def reject(self, line: int, raw: str, reason: str) -> None:
        self.total += 1
        self._turn_away(line, raw.rstrip("\r\n"), reason)

    def _turn_away(self, line: int, raw: str, reason: str) -> None:
        key = raw.partition(",")[0].strip()
        self.rejects.append((self.name, line, printable(key), reason, printable(raw)))

    def _close_block(self) -> None:
        try:
            block = self._block()
        except UnicodeEncodeError:
            good = []
            for line, row in zip(self.lines, self.rows, strict=True):
                if _is_unicode(row):
                    good.append((line, row))
                else:
                    self._turn_away(line, ",".join(row), "not UTF-8")
            self.lines = [line for line, _ in good]
            self.rows = [row for _, row in good]
            block = self._block()
        self.blocks.append(block)
        self.rows, self.lines = [], []

    def _block(self) -> pa.Table:
        arrays = [
            pc.utf8_trim_whitespace(pa.array([row[position] for row in self.rows], pa.string()))
            for position in self.positions
        ]
        return pa.Table.from_arrays([*arrays, pa.array(self.lines, pa.int64())], schema=self.schema)

    def finish(self) -> CsvRows:
        self._close_block()
        columns = list(zip(*self.rejects, strict=True)) or [()] * len(REJECT_SCHEMA)
        rejects = pa.Table.from_arrays(
            [pa.array(c, f.type) for c, f in zip(columns, REJECT_SCHEMA, strict=True)],
            schema=REJECT_SCHEMA,
        )
        return CsvRows(self.name, pa.concat_tables(self.blocks), rejects, self.total)


def _is_unicode(row: list[str]) -> bool:
    try:
        "".join(row).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
