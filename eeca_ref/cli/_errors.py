"""Errors a user can act on become one line and exit code 1, as in `mgld`."""

from __future__ import annotations

from mgld.cli._errors import user_errors

__all__ = ["user_errors"]
