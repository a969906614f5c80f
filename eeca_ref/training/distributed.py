"""The processes of a run: one alone, or those that torchrun or the deepspeed launcher started.

The same code runs everywhere. A launcher says by environment variables (RANK, WORLD_SIZE,
LOCAL_RANK, MASTER_ADDR, MASTER_PORT) who is who; without one, a process is its own world.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """All processes of a run, as one of them sees them.

    Attributes:
        rank, size: of this process, and how many there are.
        local_rank: among those of the same machine.
        device: that this process computes on.
    """

    rank: int
    size: int
    local_rank: int
    device: torch.device

    @property
    def main(self) -> bool:
        """Whether this is the process that writes what is written once."""
        return self.rank == 0

    def barrier(self) -> None:
        """Wait for all processes."""
        from deepspeed import comm

        if self.size > 1:
            comm.barrier()

    def summed(self, values: Tensor) -> Tensor:
        """The sum over processes, in place, of a tensor on `device`."""
        from deepspeed import comm

        if self.size > 1:
            comm.all_reduce(values)
        return values

    def gathered(self, thing: Any) -> list[Any]:
        """What every process brings, by rank."""
        if self.size == 1:
            return [thing]
        all_things: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(all_things, thing)
        return all_things

    def once(self, function: Callable[[], T]) -> T:
        """What the main process makes of it, in all of them; an error of its is raised in all."""
        if self.size == 1:
            return function()
        box: list[Any] = [None, None]
        if self.main:
            try:
                box[0] = function()
            except Exception as error:
                box[1] = error
        torch.distributed.broadcast_object_list(box, src=0, device=self.device)
        if box[1] is not None:
            raise box[1]
        made: T = box[0]
        return made


def start() -> World:
    """Join the other processes, if there are any; this comes before anything of DeepSpeed's.

    nccl on GPUs, gloo on CPUs. Called again, it gives the same world.

    RuntimeError: a launcher's variables are incomplete, or there are fewer GPUs than processes.
    """
    cuda = torch.cuda.is_available()
    if not cuda:  # DeepSpeed would look for an accelerator when it is imported
        os.environ["DS_ACCELERATOR"] = "cpu"
    rank, size, local_rank = _who_am_i(os.environ)
    if cuda and local_rank >= torch.cuda.device_count():
        raise RuntimeError(
            f"process {local_rank} of this machine has no GPU: there are "
            f"{torch.cuda.device_count()}; start as many processes as GPUs"
        )
    device = torch.device("cuda", local_rank) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    logging.getLogger("DeepSpeed").setLevel(logging.WARNING)
    os.environ.setdefault("DS_LOG_LEVEL", "warning")
    import deepspeed

    if not torch.distributed.is_initialized():
        if size == 1:
            os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
            os.environ.setdefault("MASTER_PORT", str(_free_port()))
        os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(local_rank)}
        deepspeed.init_distributed("nccl" if cuda else "gloo", auto_mpi_discovery=False)
    return World(rank, size, local_rank, device)


def _who_am_i(environment: Any) -> tuple[int, int, int]:
    """(rank, world size, rank on this machine) as a launcher says."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    there = [name for name in names if name in environment]
    if not there:
        return 0, 1, 0
    if len(there) < len(names):
        lacking = [name for name in names if name not in environment]
        raise RuntimeError(
            f"{', '.join(there)} set, but not {', '.join(lacking)}: start with torchrun or "
            "deepspeed, or unset them for a single process"
        )
    rank, size, local_rank = (int(environment[name]) for name in names)
    return rank, size, local_rank


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
