"""A model of lmms-eval whose answers are known beforehand; imported by the harness alone.

What it says of the question at place `n` of a split is SCRIPT[n % len(SCRIPT)], draw by draw. It
writes each request to the file `log`, as it got it.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from lmms_eval.api.model import lmms
from lmms_eval.models.registry_v2 import ModelManifest

FAILED = "[LMMS_EVAL_REQUEST_FAILED after 3 retries] no route to host"
SCRIPT = (
    ("I cannot tell.", "A church.", "No idea.", "  {name}, I think.\n", "That is {name}."),
    ("I cannot tell.", "A church.", "No idea.", "A hill.", "This is {name}."),
    ("I cannot tell.", "A church.", "No idea.", "A hill.", "Somewhere in Solmere."),
    ("I cannot tell.", "A church.", "No idea.", "A hill.", "A town."),
    (FAILED, FAILED, FAILED, FAILED, FAILED),
    (FAILED, "", "No idea.\n\nA hill?", "A hill.", "{name}"),
)
"""Not one first draw names anything: who takes the first for all finds nothing."""


class Scripted(lmms):
    """See above; a model of the harness's simple kind."""

    def __init__(self, log: str, **_: Any) -> None:
        super().__init__()
        self._log, self._made = Path(log), Counter[tuple[str, int]]()

    def generate_until(self, requests: list[Any]) -> list[str]:
        said = []
        for request in requests:
            text, decoding, doc_to_visual, place, task, split = request.args
            doc = self.task_dict[task][split][place]
            draw = self._made[task, place]
            self._made[task, place] += 1
            (image,) = doc_to_visual(doc)
            with self._log.open("a") as log:
                row = {"id": doc["id"], "text": text, "decoding": decoding, "size": image.size}
                log.write(json.dumps({**row, "task": task, "mode": image.mode}) + "\n")
            said.append(SCRIPT[place % len(SCRIPT)][draw].format(name=doc["landmark_name"]))
        return said

    def loglikelihood(self, requests: list[Any]) -> Any:
        raise NotImplementedError

    def generate_until_multi_round(self, requests: list[Any]) -> Any:
        raise NotImplementedError


MANIFEST = ModelManifest(model_id="scripted", simple_class_path="lmms_scripted.Scripted")
