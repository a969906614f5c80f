"""Models under test behind one protocol."""

from __future__ import annotations

from mgld.evaluate.models.base import Asked, Model, ModelOptions, OnAnswer, load_model

__all__ = ["Asked", "Model", "ModelOptions", "OnAnswer", "load_model"]
