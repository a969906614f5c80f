"""clip-retrieval's own inference, timed: runs in an environment of its own, without this project.

Started by `benchmarks.speed.embed` as `PYTHON embed_clip_retrieval.py SETTINGS`, SETTINGS as JSON.
Builds its mapper as its worker does, says its versions, and for every line that it is sent but
"stop" runs its `Runner`, with its reader and writer, once over the tars and answers with the
seconds that took.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from importlib.metadata import version
from typing import Any


class Silent:
    """In the place of its logger, which writes its statistics from another process."""

    def start(self) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""

    def __call__(self, stats: Any) -> None:
        """Nothing."""


def main() -> None:
    """Answer until the input ends."""
    from all_clip import load_clip
    from clip_retrieval.clip_inference.mapper import ClipMapper
    from clip_retrieval.clip_inference.reader import WebdatasetReader
    from clip_retrieval.clip_inference.runner import Runner
    from clip_retrieval.clip_inference.writer import NumpyWriter

    given = json.loads(sys.argv[1])
    out, sys.stdout = sys.stdout, sys.stderr  # it prints
    model, batch = given["clip_model"], given["batch_size"]
    mapper = ClipMapper(True, False, False, False, model, given["use_jit"], "", batch)
    _, preprocess, tokenizer = load_clip(model, given["use_jit"], batch, None)

    def reader(sampler: Any) -> Any:
        return WebdatasetReader(
            sampler,
            preprocess,
            tokenizer,
            given["tars"],
            batch,
            given["workers"],
            enable_text=False,
        )

    packages = ("clip-retrieval", "open-clip-torch", "torch", "webdataset", "numpy", "pillow")
    print(json.dumps({name: version(name) for name in packages}), file=out, flush=True)
    for line in sys.stdin:
        if line == "stop\n":
            break
        with tempfile.TemporaryDirectory() as folder:
            writer = NumpyWriter(0, folder, False, True, False, 1)
            runner = Runner(reader, lambda: mapper, lambda _, w=writer: w, lambda _: Silent(), 1)
            began = time.perf_counter()
            runner(0)
            print(json.dumps(time.perf_counter() - began), file=out, flush=True)


if __name__ == "__main__":
    main()
