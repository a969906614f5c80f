"""The paper in miniature: its encoder and language model, every row of its tables, and the page.

`python -m benchmarks.nano --help`; docs/training.md, section "Nano", says how it is made.
"""
