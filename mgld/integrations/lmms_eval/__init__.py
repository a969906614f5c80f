"""MGLD as a task of lmms-eval (tested with 0.7.3): docs/integrations-lmms-eval.md.

`tasks/` is what the harness is told of with `--include_path`.
"""
