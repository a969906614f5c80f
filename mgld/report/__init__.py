"""The HTML report of a build: one self-contained page, no script, no request."""

from mgld.report.page import write_figures, write_report

__all__ = ["write_figures", "write_report"]
