"""MGLD: build, score, load and evaluate the Multi-Granularity Landmark Dataset.

``import mgld`` costs nothing: every heavy library is imported by the function that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "load"]

if TYPE_CHECKING:
    from mgld.hub.load import load


def __getattr__(name: str) -> Any:
    """Resolve the public names lazily (PEP 562), so that ``import mgld`` stays instant."""
    if name == "load":
        from mgld.hub.load import load

        return load
    raise AttributeError(f"module 'mgld' has no attribute {name!r}")
