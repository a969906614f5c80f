"""The sides of `benchmarks.speed.embed`: each is called once a round and says its seconds."""

from __future__ import annotations

import io
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from mgld.build import BuildConfig, build_dataset
from mgld.build.runner import Runner, local_runner
from mgld.build.shards import ShardTask, make_shard
from mgld.build.stages.encoder import loaded_encoder
from mgld.gldv2 import ImageEntry, decode_image, find_archives, iter_images, read_image
from mgld.vision import load_encoder
from mgld.vision.openclip import OpenClipEncoder
from mgld.vision.pipeline import in_order
from mgld.vision.prepare import Preparer

Side = Callable[[], float]
CHILD = Path(__file__).with_name("embed_clip_retrieval.py")


class Images(Dataset[torch.Tensor]):
    """The images of a source, read by their place and given to open_clip's `transform`."""

    def __init__(self, root: Path, entries: list[ImageEntry], transform: Any) -> None:
        self.root, self.entries, self.transform = root, entries, transform

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> torch.Tensor:
        entry = self.entries[index]
        data = read_image(self.root, entry.source, entry.offset, entry.size)
        pixels: torch.Tensor = self.transform(Image.open(io.BytesIO(data)).convert("RGB"))
        return pixels


def all_entries(root: Path) -> list[ImageEntry]:
    """Every image of the source, with its bytes."""
    return [entry for shard in find_archives(root) for entry in iter_images(root, shard.id)]


def timed(work: Callable[[], Any]) -> float:
    """Seconds that `work` takes."""
    began = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


@contextmanager
def ours(config: BuildConfig, folder: Path, workers: int, preparing: int = 0) -> Iterator[Side]:
    """The stage as `mgld build` runs it: archives to Parquet, hashes and all, in warm workers.

    preparing: threads that prepare images in this process where there is one worker; 0: as many as
    the encoder asks for.
    """
    root = folder / "build"
    manifest = build_dataset(config, root, stages=["catalog"])
    assert manifest.facts is not None
    tasks = [
        ShardTask(
            root=root,
            work=folder / "work",
            source_root=Path(config.source),
            config=config,
            facts=manifest.facts,
            step="embeddings/images",
            stage="embeddings",
            shard=f"images-{shard.id}",
            argument=shard.id,
            versions={"catalog/links.": "benchmark"},
        )
        for shard in find_archives(config.source)
    ]
    with local_runner(workers) as runner:
        calls = iter(range(10**6))

        def work() -> None:
            encoder = loaded_encoder(config)
            before = encoder.threads
            encoder.threads = preparing or before
            _make(runner, tasks, folder / f"work-{next(calls)}")
            encoder.threads = before

        yield lambda: timed(work)


def _make(runner: Runner, tasks: list[ShardTask], folder: Path) -> None:
    fresh = [replace(task, work=folder / task.argument) for task in tasks]
    for _, output in runner.run(make_shard, fresh, lambda task, rows: None):
        assert output.made.counts["row"] == {"ok": output.made.rows}


def open_clip_loader(
    encoder: OpenClipEncoder, root: Path, entries: list[ImageEntry], batch: int, workers: int
) -> Any:
    """open_clip's preparation in a `DataLoader`, its workers kept from round to round."""
    return DataLoader(
        Images(root, entries, encoder.preprocess),
        batch_size=batch,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=workers > 0,
    )


def open_clip(encoder: OpenClipEncoder, loader: Any) -> Side:
    """The loop of open_clip's README, batch by batch, vectors kept in a list."""
    device, dtype = next(encoder.model.parameters()).device, next(encoder.model.parameters()).dtype

    def work() -> None:
        vectors = []
        with torch.inference_mode():
            for pixels in loader:
                moved = pixels.to(device, non_blocking=True).to(dtype)
                unit = torch.nn.functional.normalize(encoder.model.encode_image(moved), dim=-1)
                vectors.append(unit.float().cpu().numpy())

    return lambda: timed(work)


def model_alone(
    encoder: OpenClipEncoder, images: int, batch: int, *, compiled: bool = False
) -> Side:
    """The image tower on batches that lie ready on the device."""
    encode = encoder.model.encode_image
    encode = torch.compile(encode) if compiled else encode
    parameter = next(encoder.model.parameters())
    height, width = encoder.prepare.size
    pixels = torch.randn(batch, 3, height, width, device=parameter.device, dtype=parameter.dtype)
    if parameter.is_cuda:
        pixels = pixels.to(memory_format=torch.channels_last)

    def work() -> None:
        with torch.inference_mode():
            for start in range(0, images, batch):
                encode(pixels[: min(batch, images - start)])

    return lambda: timed(work)


def feed_ours(encoder: OpenClipEncoder, root: Path, batch: int, cores: int) -> Side:
    """What the cores can give a GPU: archives to stacked bytes, as `encode_prepared` takes them."""

    def prepare(entry: ImageEntry) -> np.ndarray[Any, Any]:
        decoded = decode_image(entry.data or b"", short_side=encoder.short_side)
        return encoder.prepare(decoded.image)

    def work() -> None:
        entries = (e for shard in find_archives(root) for e in iter_images(root, shard.id))
        waiting = []
        for pixels in in_order(prepare, entries, threads=cores, ahead=2 * batch):
            waiting.append(torch.from_numpy(pixels))
            if len(waiting) == batch:
                torch.stack(waiting)
                waiting = []

    return lambda: timed(work)


def feed_open_clip(loader: Any) -> Side:
    """The same from the `DataLoader`: stacked floats."""
    return lambda: timed(lambda: [None for _ in loader])


@contextmanager
def clip_retrieval(
    python: Path, spec: str, root: Path, batch: int, workers: int
) -> Iterator[tuple[Side, dict[str, str]]]:
    """Its reader, mapper and writer in a process of its own environment; and its versions."""
    name, weights = spec.split(":", 1)
    settings = {
        "clip_model": f"open_clip:{name}/{weights}",
        "use_jit": False,
        "tars": [str(root / shard.sources[0]) for shard in find_archives(root)],
        "batch_size": batch,
        "workers": workers,
    }
    # its environment is not ours: no PYTHONPATH, and threads by its own default
    environment = {
        k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "OMP_NUM_THREADS")
    }
    with subprocess.Popen(
        [str(python), str(CHILD), json.dumps(settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment | {"HF_HUB_OFFLINE": "1"},
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        versions = json.loads(process.stdout.readline())

        def once() -> float:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write("go\n")
            process.stdin.flush()
            return float(json.loads(process.stdout.readline()))

        try:
            yield once, versions
        finally:
            # not by closing its input: the DataLoader's workers, forked meanwhile, hold that open
            process.stdin.write("stop\n")
            process.stdin.close()


def prepare_one_core(side: int, datas: list[bytes]) -> dict[str, Side]:
    """CPU seconds of one thread, by step, for an encoder of `side` pixels."""
    cfg = PreprocessCfg(size=side)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (cfg.mean, cfg.std))
    reference = image_transform_v2(cfg, is_train=False)
    prepare = Preparer(asdict(cfg), reference)

    def to_bytes(data: bytes) -> torch.Tensor:
        return torch.from_numpy(prepare(decode_image(data, short_side=prepare.short_side).image))

    def to_floats(data: bytes) -> torch.Tensor:
        return to_bytes(data).to(torch.float32).div_(255).sub_(mean).div_(std)

    def theirs(data: bytes) -> Any:
        return reference(Image.open(io.BytesIO(data)).convert("RGB"))

    def one_thread(work: Callable[[bytes], Any]) -> Side:
        def measure() -> float:
            threads = torch.get_num_threads()
            torch.set_num_threads(1)
            began = time.thread_time()
            for data in datas:
                work(data)
            seconds = time.thread_time() - began
            torch.set_num_threads(threads)
            return seconds

        return measure

    steps = {
        "decode": lambda data: decode_image(data, short_side=prepare.short_side),
        "ours_to_bytes": to_bytes,
        "ours_to_floats": to_floats,
        "open_clip_to_floats": theirs,
    }
    return {f"one_core_{side}_{name}": one_thread(work) for name, work in steps.items()}


def reference_encoder(spec: str, device: str, dtype: str) -> OpenClipEncoder:
    """The model of the sides that run in this process."""
    return load_encoder(spec, device=device, dtype=dtype)
