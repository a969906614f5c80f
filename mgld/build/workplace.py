"""Where the shards of a build are made: on this machine, or on the workers of a Ray cluster.

On Ray a shard is made by whichever worker is free. Two kinds stay with the driver: shards of a
model's replies, whose ledger only the driver opens, and, where workers do not see the build folder,
those that would need most of it (`Step.portable`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from mgld.build.config import BuildConfig
from mgld.build.exchange import Exchange
from mgld.build.manifest import FileEntry, Manifest
from mgld.build.plan import PlannedShard, Step
from mgld.build.progress import Progress
from mgld.build.remote import RemoteTask, make_remote_shard
from mgld.build.runner import Runner, local_runner
from mgld.build.shards import ShardOutput, ShardTask, make_shard

LOCAL = "local"


@dataclass(frozen=True)
class Workplace:
    """`runner`: for tasks that no build folder is needed for. `here`: for those of the driver.

    `exchange`: the URL through which files reach workers that do not see the build folder.
    """

    runner: Runner
    here: Runner
    exchange: str | None = None

    def make(
        self,
        step: Step,
        tasks: Sequence[ShardTask],
        plan: Sequence[PlannedShard],
        manifest: Manifest,
        on_rows: Callable[[int], None],
    ) -> Iterator[tuple[ShardTask, ShardOutput]]:
        """Make shards; their files lie in `ShardOutput.folder` on this machine when it yields.

        tasks and plan: of the same shards in the same order. TaskError: one could not be made.
        """
        asks_a_model = step.requests is not None and bool(tasks) and tasks[0].config.model
        if self.runner is self.here or asks_a_model or (self.exchange and not step.portable):
            yield from self.here.run(make_shard, tasks, lambda _, rows: on_rows(rows))
            return
        files = manifest.files()
        remote = [
            RemoteTask(task, shard.spec.reads, _named(shard.spec.reads, files), self.exchange)
            for task, shard in zip(tasks, plan, strict=True)
        ]
        exchange = Exchange(self.exchange) if self.exchange else None
        if exchange and tasks:
            needed = {path: entry for each in remote for path, entry in each.files.items()}
            for path, entry in needed.items():
                exchange.put(tasks[0].root / path, entry)
        made = self.runner.run(make_remote_shard, remote, lambda _, rows: on_rows(rows))
        for each, output in made:
            if exchange:
                for name, entry in output.files.items():
                    exchange.get(entry, each.task.work / name)
                output = ShardOutput(each.task.work, output.files, output.made)
            yield each.task, output


def _named(reads: Sequence[str], files: dict[str, FileEntry]) -> dict[str, FileEntry]:
    return {path: files[path] for path in files if path.startswith(tuple(reads))}


@contextmanager
def open_workplace(
    runner: str,
    workers: int | None,
    exchange: str | None,
    config: BuildConfig,
    progress: Progress,
) -> Iterator[Workplace]:
    """The workplace of a build; arguments as in `build_dataset`. ValueError for a wrong call."""
    if runner == LOCAL:
        if exchange is not None:
            raise ValueError("--exchange is for workers on other machines: give --runner ray")
        with local_runner(1 if workers is None else workers) as here:
            yield Workplace(here, here)
        return
    from mgld.build.ray_runner import ADDRESS_PREFIX, ray_runner

    if runner != "ray" and not runner.startswith(ADDRESS_PREFIX):
        raise ValueError(f"no runner {runner!r}; it is local, ray or ray://HOST:PORT")
    if exchange is not None:
        if config.world_landmarks is not None:
            raise ValueError(
                f"with --exchange workers do not see the build folder, where {config.source} is "
                "drawn: draw it into a shared folder with `mgld world`, and give that as --source"
            )
        Exchange(exchange)  # a wrong URL is told before anything is done
    with (
        ray_runner(runner, limit=workers, device=config.device, threads=config.threads) as opened,
        local_runner(1 if workers is None else workers) as here,
    ):
        cluster, said = opened
        progress.note(said)
        yield Workplace(cluster, here, exchange)
