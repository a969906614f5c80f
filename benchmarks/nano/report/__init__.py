"""`benchmarks/nano/RESULTS.md`, made from the records in `benchmarks/nano/results` alone.

`python -m benchmarks.nano report` writes it. Beside the page it writes `conclusions.json` (every
number of it, for programs) and `figures/`. Any part of the runs may be missing; what was not run is
said.
"""
