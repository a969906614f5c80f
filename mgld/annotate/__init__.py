"""Stages 2 and 3 of the dataset: question and answer, entities, refined hierarchical label.

`load_annotator("template", seed=0)` gives the offline annotator. Its texts are filled-in templates
and are marked as such (`annotator = "template"`); they are not a model's annotations. Those come
from `load_annotator("openai:MODEL", ...)`, which reads the replies of a model (`annotate.model`).
"""

from __future__ import annotations

from mgld.annotate.base import Annotator, ReadImage, load_annotator
from mgld.annotate.questions import Question, draw_question, questions

__all__ = ["Annotator", "Question", "ReadImage", "draw_question", "load_annotator", "questions"]
