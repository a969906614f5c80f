"""A map over threads that keeps the order and does not run away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from mgld.vision.pipeline import in_order, preparing_threads


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    def slow(item: int) -> int:
        time.sleep(0.002 * (item % 5 == 0))
        return item * item

    expected = [item * item for item in range(50)]
    assert list(in_order(slow, range(50), threads=threads, ahead=8)) == expected
    assert list(in_order(slow, [], threads=threads, ahead=8)) == []


def test_work_goes_on_while_nobody_asks() -> None:
    done = threading.Semaphore(0)

    def work(item: int) -> int:
        done.release()
        return item

    results = in_order(work, range(20), threads=2, ahead=5)
    assert next(results) == 0
    for _ in range(6):  # the one that was asked for, and five ahead of it
        assert done.acquire(timeout=10)
    results.close()


@pytest.mark.parametrize(("threads", "ahead", "most"), [(0, 8, 1), (3, 8, 9)])
def test_no_more_items_are_taken_than_that(threads: int, ahead: int, most: int) -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(100):
            taken += 1
            yield item

    for given, item in enumerate(in_order(lambda x: x, items(), threads=threads, ahead=ahead)):
        assert given == item
        assert taken - given <= most


@pytest.mark.parametrize("threads", [0, 3])
def test_an_error_comes_in_its_turn(threads: int) -> None:
    def fail(item: int) -> int:
        if item == 7:
            raise MemoryError("seven")
        return item

    before = threading.active_count()
    got = []
    with pytest.raises(MemoryError, match="seven"):
        for item in in_order(fail, range(40), threads=threads, ahead=10):
            got.append(item)
    assert got == list(range(7))
    assert threading.active_count() == before  # nothing is left behind


def test_no_threads_beside_a_model_on_the_cpu() -> None:
    assert preparing_threads("cpu") == 0
    assert preparing_threads("cuda:1") >= 1
