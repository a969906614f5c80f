"""Images a second from archives to vectors: ours, open_clip in a DataLoader, clip-retrieval.

    python -m benchmarks.speed.embed --clip-retrieval PYTHON \\
        --out benchmarks/results/speed_embed.json

The same JPEGs of 800 x 600 (sheets of real photographs where ../shared has them, else of a drawn
world's views), the same model with random weights (ViT-B-32 on the CPU, ViT-L-14-336 in bfloat16 on
a GPU; or any spec), sides in turns, medians of the rounds:

- end to end: the stage of `mgld build` as it is (hashes, rows, Parquet) with warm workers;
  open_clip's preparation in a DataLoader, and its model; clip-retrieval's reader, mapper and
  writer; and the model alone, on batches that lie ready. On the CPU also ours as one process whose
  model has all cores and whose images are prepared in threads meanwhile; on a GPU also the model
  compiled;
- feed: the same without the model, what all cores could give a GPU;
- one core: decoding and preparing one image after the other in one thread, in CPU time, for
  encoders of 224 and of 336 pixels.

clip-retrieval asks for older packages than ours, so it runs in an environment of its own (6 GB):
PYTHON is of one with `embed_clip_retrieval.txt` in it, as `make bench` makes it. Without it that
side is left out. On a GPU the image tower's operations are counted, and its rate is given as a
share of the bfloat16 rate of a large matrix product in the same run.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import sys
import tempfile
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mgld.files import write_text_atomically

PACKAGES = ("mgld", "torch", "torchvision", "open_clip_torch", "pillow", "numpy")


def run(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All sides in turns, after a round that warms them up."""
    import torch

    from benchmarks.speed import embed_data, embed_sides
    from mgld.build import load_config

    cuda = given.device.startswith("cuda")
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(cores)
    source = folder / "source"
    what = embed_data.write_source(source, given.images, tars=2)
    spec = given.model
    if ":" not in spec and spec != "nano":
        spec = embed_data.random_weights(spec, folder)
    dtype = "bfloat16" if cuda else "float32"
    settings = {"source": str(source), "encoder": spec, "device": given.device, "dtype": dtype}
    config = load_config(None, settings | {"batch_size": given.batch})
    encoder = embed_sides.reference_encoder(spec, given.device, dtype)
    entries = embed_sides.all_entries(source)
    loader = embed_sides.open_clip_loader(encoder, source, entries, given.batch, cores)
    datas = [entry.data for entry in entries[: given.one_core] if entry.data is not None]
    seconds: dict[str, list[float]] = {}
    with ExitStack() as stack:
        workers = 1 if cuda else cores
        sides = {
            "ours": stack.enter_context(embed_sides.ours(config, folder, workers)),
            "open_clip": embed_sides.open_clip(encoder, loader),
            "model_alone": embed_sides.model_alone(encoder, given.images, given.batch),
            "feed_ours": embed_sides.feed_ours(encoder, source, given.batch, cores),
            "feed_open_clip": embed_sides.feed_open_clip(loader),
            **embed_sides.prepare_one_core(224, datas),
            **embed_sides.prepare_one_core(336, datas),
        }
        if cuda:
            compiled = embed_sides.model_alone(encoder, given.images, given.batch, compiled=True)
            sides["model_compiled"] = compiled
        else:
            one = config.model_copy(update={"threads": cores})
            entered_one = embed_sides.ours(one, folder / "one", 1, preparing=cores)
            sides["ours_one_process"] = stack.enter_context(entered_one)
        theirs: Any = "not run: --clip-retrieval was not given"
        if given.clip_retrieval is not None:
            entered = embed_sides.clip_retrieval(
                given.clip_retrieval, spec, source, given.batch, cores
            )
            sides["clip_retrieval"], theirs = stack.enter_context(entered)
        for turn in range(given.rounds + 1):
            for name, side in sides.items():
                taken = side()
                print(f"round {turn} {name}: {taken:.2f} s", file=sys.stderr, flush=True)
                if turn:  # the one before warms up
                    seconds.setdefault(name, []).append(taken)
    rates = {}
    for name, turns in seconds.items():
        images = len(datas) if name.startswith("one_core") else given.images
        rates[name] = [images / turn for turn in turns]
    return {
        "images": what,
        "count": given.images,
        "model": f"{given.model}, random weights" if given.model != "nano" else "nano",
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "dtype": dtype,
        "batch": given.batch,
        "workers": workers,
        "clip_retrieval_versions": theirs,
        **compare(rates),
        **(share_of_peak(encoder, statistics.median(rates["model_alone"])) if cuda else {}),
    }


def compare(rates: dict[str, list[float]]) -> dict[str, Any]:
    """Images a second, and ours beside the others by the median of the ratios of each round."""

    def ratio(ours: str, other: str) -> float | None:
        if other not in rates:
            return None
        return statistics.median(a / b for a, b in zip(rates[ours], rates[other], strict=True))

    return {
        "images_per_second": {
            name: {"median": statistics.median(each), "lowest": min(each), "highest": max(each)}
            for name, each in rates.items()
        },
        "ours_beside": {
            "open_clip": ratio("ours", "open_clip"),
            "clip_retrieval": ratio("ours", "clip_retrieval"),
            "model_alone": ratio("ours", "model_alone"),
            "feed_open_clip": ratio("feed_ours", "feed_open_clip"),
            **{
                f"one_core_{side}_{kind}": ratio(
                    f"one_core_{side}_ours_{kind}", f"one_core_{side}_open_clip_to_floats"
                )
                for side in (224, 336)
                for kind in ("to_bytes", "to_floats")
            },
        },
    }


def share_of_peak(encoder: Any, images_per_second: float) -> dict[str, Any]:
    """The image tower's operations a second beside those of a bfloat16 matrix product."""
    import time

    import torch
    from torch.utils.flop_counter import FlopCounterMode

    parameter = next(encoder.model.parameters())
    kind = {"device": parameter.device, "dtype": parameter.dtype}
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # its fused operator is counted as nothing
    with torch.inference_mode(), FlopCounterMode(display=False) as counted:
        encoder.model.encode_image(torch.randn(1, 3, *encoder.prepare.size, **kind))
    torch.backends.mha.set_fastpath_enabled(before)
    side, repeats = (8192, 20) if parameter.is_cuda else (512, 2)
    a, b = torch.randn(side, side, **kind), torch.randn(side, side, **kind)
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(repeats):
            a @ b
        if parameter.is_cuda:
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - began)
    product = 2 * side**3 * repeats / best
    used = counted.get_total_flops() * images_per_second
    return {
        "operations_per_image": counted.get_total_flops(),
        "operations_per_second": used,
        "matrix_product_operations_per_second": product,
        "share_of_matrix_product": used / product,
    }


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    import torch

    cuda = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--device", default="cuda" if cuda else "cpu")
    parser.add_argument("--model", default="ViT-L-14-336" if cuda else "ViT-B-32")
    parser.add_argument("--images", type=int, default=4096 if cuda else 128)
    parser.add_argument("--one-core", type=int, default=64, help="images of the one-core part")
    parser.add_argument("--batch", type=int, default=64 if cuda else 16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clip-retrieval", type=Path, help="python of its environment")
    given = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        measured = run(given, Path(folder))
    result = {
        "what": "images a second from archives to vectors, sides in turns in one run; one-core "
        "parts in CPU time",
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "load_before": load,
        "versions": {"python": platform.python_version(), **{n: version(n) for n in PACKAGES}},
        "rounds": given.rounds,
        **measured,
        "gpu": "this run" if given.device.startswith("cuda") else "not measured: none was lent",
        "load_after": os.getloadavg()[0],
    }
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        write_text_atomically(given.out, text + "\n")


if __name__ == "__main__":
    main()
