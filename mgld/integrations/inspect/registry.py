"""What inspect_ai finds under the name `mgld/...`, by the entry point of its group."""

from __future__ import annotations

from mgld.integrations.inspect.metrics import draws, headline, levels
from mgld.integrations.inspect.scorer import knowledge_level
from mgld.integrations.inspect.solver import five_answers, show_image
from mgld.integrations.inspect.task import mgld_task

__all__ = [
    "draws",
    "five_answers",
    "headline",
    "knowledge_level",
    "levels",
    "mgld_task",
    "show_image",
]
