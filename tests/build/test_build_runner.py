"""The local runner: results, failures, crashes."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass

import pytest

from mgld.build.runner import Report, TaskError, local_runner


@dataclass(frozen=True)
class Number:
    value: int

    @property
    def label(self) -> str:
        return f"number {self.value}"


def work(task: Number, report: Report) -> int:
    """Square, unless the number stands for something going wrong."""
    report(task.value)
    match task.value:
        case -1:
            raise ValueError("negative")
        case -2:
            os.kill(os.getpid(), signal.SIGKILL)
        case -3:
            os._exit(7)
        case -4:
            raise ZeroDivisionError("a bug")
        case -5:
            time.sleep(60)
    return task.value**2


def squares(workers: int, values: list[int]) -> tuple[dict[int, int], int]:
    rows = 0

    def on_rows(task: Number, count: int) -> None:
        nonlocal rows
        rows += count

    with local_runner(workers) as runner:
        found = {
            task.value: result
            for task, result in runner.run(work, [Number(value) for value in values], on_rows)
        }
        again = dict(runner.run(work, [Number(9)], on_rows))
    assert again == {Number(9): 81}
    return found, rows - 9


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_gives_its_result_and_its_rows(workers: int) -> None:
    assert squares(workers, list(range(20))) == ({n: n * n for n in range(20)}, sum(range(20)))


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_names_the_task_and_the_place(workers: int) -> None:
    with pytest.raises(
        TaskError, match=r"number -1: ValueError: negative \(test_build_runner\.py:"
    ):
        squares(workers, [1, 2, -1])
    with pytest.raises(TaskError, match="number -4: ZeroDivisionError: a bug") as caught:
        squares(workers, [-4])
    assert "Traceback" in caught.value.details


@pytest.mark.parametrize(("value", "how"), [(-2, "killed by SIGKILL"), (-3, "exit code 7")])
def test_a_crash_names_the_task_and_stops_the_others(value: int, how: str) -> None:
    began = time.monotonic()
    with pytest.raises(TaskError, match=f"number {value}: its worker process .*{how}"):
        squares(2, [-5, value])
    assert time.monotonic() - began < 30


def test_no_workers() -> None:
    with pytest.raises(ValueError, match="at least 1"), local_runner(0):
        pass
