"""`python -m benchmarks.nano.report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.nano.record import RESULTS
from benchmarks.nano.report.page_conclusions import headline
from benchmarks.nano.report.write import OUT, write_report


def main() -> None:
    """Write the page and say how the claims ended."""
    parser = argparse.ArgumentParser(description="Write RESULTS.md from the stored runs.")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of run records")
    parser.add_argument("--out", type=Path, default=OUT, help="the page; figures go beside it")
    given = parser.parse_args()
    conclusions = write_report(given.results, given.out)
    print(headline(conclusions))
    print(f"{given.out}, with {given.out.parent / 'conclusions.json'} and figures beside it")


if __name__ == "__main__":
    main()
