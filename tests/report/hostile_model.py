"""A real build whose names, labels, model and replies attack the page; the loopback endpoint."""

from __future__ import annotations

from hostile_source import HOSTILE_LABEL, write_hostile_source
from openai_server import start_server

from mgld.build import build_dataset, load_config

HOSTILE_MODEL = "<b>evil</b></script>"
# Each rule counts only the requests that no rule before it has hit.
FAULTS = [
    {"fault": "fenced", "ordinals": [0, 1, 12]},
    {"fault": "refusal", "ordinals": [0]},
    {"fault": "wrong_schema", "ordinals": [3]},
]


def hostile_model_build(root):
    """Build in `root`: of 12 landmarks 11 are asked; 1 is refused, 1 in error, 2 are repaired."""
    write_hostile_source(root / "source")
    with start_server({"rules": FAULTS}) as server:
        settings = {
            "source": str(root / "source"),
            "encoder": "nano",
            "annotator": f"openai:{HOSTILE_MODEL}",
            "extra_labels": [HOSTILE_LABEL],
            "llm": {"base_url": server.url, "concurrency": 1},
        }
        build_dataset(load_config(None, settings), root / "build")
    return root / "build"
