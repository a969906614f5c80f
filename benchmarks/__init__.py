"""Measurements and proofs that are not part of the installed packages."""
