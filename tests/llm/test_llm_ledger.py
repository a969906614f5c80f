from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from mgld.llm.ledger import Claim, Claimed, Ledger, Release, Settle, StoredReply
from mgld.llm.request import Image, OutputSchema, Parameters, Request


def request(number: int, **changes: object) -> Request:
    fields: dict[str, object] = {
        "purpose": "qa",
        "subject": str(number),
        "model": "m",
        "prompt_version": "qa-1",
        "instructions": "Answer.",
        "text": f"question {number}",
        **changes,
    }
    return Request(**fields)  # type: ignore[arg-type]


def reply(to: Request, usd: float = 0.01, raw: bytes = b"{}") -> StoredReply:
    return StoredReply(to.key, "online", "chat", 200, raw, usd=usd)


def claim(ledger: Ledger, to: Request, **options: object) -> Claimed:
    (result,) = ledger.apply([Claim(to, **options)])  # type: ignore[arg-type]
    assert result is not None
    return result


def test_the_key_holds_all_that_changes_a_reply_and_nothing_else() -> None:
    base = request(1)
    schema = OutputSchema(name="a", json_schema={"type": "object"})
    others = [
        request(1, model="n"),
        request(1, instructions="Answer!"),
        request(1, text="question 2"),
        request(1, image=Image("ab", lambda: b"")),
        request(1, schema=schema),
        request(1, schema=schema.model_copy(update={"json_schema": {"type": "string"}})),
        request(1, parameters=Parameters(temperature=0.0)),
        request(1, parameters=Parameters(extra_body={"top_p": 0.5})),
        request(1, draw=1),
        request(1, instructions="Answer.q", text="uestion 1"),
    ]
    keys = {base.key, *(other.key for other in others)}
    assert len(keys) == len(others) + 1
    assert request(1, purpose="judge", subject="x", prompt_version="qa-2").key == base.key


def test_a_key_stays_what_it_was() -> None:
    """A ledger of an earlier version answers the same requests."""
    old = "827457735dd74bb8da8fd01f5311f3f66e01372d3ec321c8238327947e53b4bf"
    assert request(1, schema=OutputSchema(name="a", json_schema={"type": "object"})).key == old


def test_a_reply_is_kept_as_it_came(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        one = request(1)
        granted = claim(ledger, one, usd=0.5)
        assert granted.state == "granted"
        assert ledger.money().reserved == 0.5
        ledger.apply([Settle(granted.attempt, reply(one, 0.125, raw=b'{"\xc3\xa9": 1}'))])
        assert ledger.money().model_dump() == {"spent": 0.125, "reserved": 0.0, "lost": 0.0}
    with Ledger(tmp_path / "l.sqlite", create=False) as ledger:
        stored = ledger.replies([one.key, request(2).key])[one.key]
        assert (stored.raw, stored.usd, stored.http_status) == (b'{"\xc3\xa9": 1}', 0.125, 200)
        assert ledger.answered() == {one.key}
        assert claim(ledger, one).state == "answered"


def test_a_settled_attempt_is_not_paid_again(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        one = request(1)
        attempt = claim(ledger, one, usd=0.5).attempt
        ledger.apply([Settle(attempt, reply(one)), Settle(attempt, reply(one, raw=b"other"))])
        ledger.apply([Release(attempt, "timeout", paid=True)])
        assert ledger.money().model_dump() == {"spent": 0.01, "reserved": 0.0, "lost": 0.0}
        assert ledger.replies([one.key])[one.key].raw == b"{}"


def test_a_released_attempt_is_charged_only_if_it_may_have_been_answered(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.apply([Release(claim(ledger, request(1), usd=0.5).attempt, "429")])
        assert ledger.money().charged == 0
        ledger.apply([Release(claim(ledger, request(1), usd=0.5).attempt, "cut off", paid=True)])
        assert ledger.money().model_dump() == {"spent": 0.0, "reserved": 0.0, "lost": 0.5}
        assert ledger.lost() == 1
        assert claim(ledger, request(1)).state == "granted"


def test_the_budget_counts_what_is_in_flight(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        first = claim(ledger, request(1), usd=0.6, max_usd=1.0)
        assert claim(ledger, request(2), usd=0.6, max_usd=1.0).state == "over_budget"
        ledger.apply([Settle(first.attempt, reply(request(1), usd=0.1))])
        assert claim(ledger, request(2), usd=0.6, max_usd=1.0).state == "granted"


def test_a_forgotten_reply_is_asked_again_and_its_cost_stays(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        one = request(1)
        ledger.apply([Settle(claim(ledger, one).attempt, reply(one))])
        assert ledger.forget([one.key, "unknown"]) == 1
        assert ledger.answered() == set()
        again = claim(ledger, one)
        ledger.apply([Settle(again.attempt, reply(one, raw=b"new"))])
        assert ledger.replies([one.key])[one.key].raw == b"new"
        assert ledger.money().spent == 0.02


def test_a_failed_commit_changes_nothing(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l.sqlite") as ledger:
        bad = StoredReply(request(2).key, "online", "chat", None, b"")  # type: ignore[arg-type]
        attempt = claim(ledger, request(2), usd=0.25).attempt
        with pytest.raises(sqlite3.IntegrityError):
            ledger.apply([Claim(request(1), usd=0.5), Settle(attempt, bad)])
        # The attempt is still open, the claim was never made.
        assert ledger.money().reserved == 0.25
        assert claim(ledger, request(1)).state == "granted"


def test_another_live_process_is_waited_for_and_a_dead_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    holder = _holder(path)
    try:
        with Ledger(path) as ledger:
            assert claim(ledger, request(0)).state == "busy"
            assert ledger.bury_dead() == 0
            holder.kill()
            holder.wait()
            assert ledger.bury_dead() == 1
            assert ledger.money().lost == 0.5
            assert claim(ledger, request(0)).state == "granted"
    finally:
        holder.kill()
        holder.wait()


def test_threads_share_one_ledger(tmp_path: Path) -> None:
    states: list[str] = []
    with Ledger(tmp_path / "l.sqlite") as ledger:

        def work() -> None:
            for number in range(50):
                states.append(claim(ledger, request(number)).state)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert states.count("granted") == 50
    assert states.count("busy") == 150


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, but long enough to look at" * 100)
    with pytest.raises(ValueError, match="not a ledger"):
        Ledger(tmp_path / "text")
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE t (x)")
    with pytest.raises(ValueError, match="something else"):
        Ledger(tmp_path / "other")
    with pytest.raises(FileNotFoundError):
        Ledger(tmp_path / "none", create=False)


def test_a_damaged_or_closed_file_is_said_to_be_so(tmp_path: Path) -> None:
    path = tmp_path / "l.sqlite"
    with Ledger(path) as ledger:
        for each in range(200):
            claim(ledger, request(each))
    damaged = bytearray(path.read_bytes())
    damaged[8192:] = b"\xff" * (len(damaged) - 8192)
    path.write_bytes(damaged)
    with Ledger(path) as ledger, pytest.raises(OSError, match=r"l\.sqlite cannot be"):
        ledger.answered()
        ledger.open_batched()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r"folder cannot be opened: unable to open"):
        Ledger(tmp_path / "folder")


@pytest.mark.parametrize("kills", [6, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_processes_lose_nothing_and_two_never_send_the_same(
    tmp_path: Path, kills: int
) -> None:
    """Two workers at a time on one ledger; each writes what it sends to a file of its own.

    Killed at random moments: a request is sent again only if its sender was killed with it open.
    """
    path = tmp_path / "l.sqlite"
    Ledger(path).close()
    chance = random.Random(0)
    number = 120 * kills  # more than they can answer before the last kill
    workers = [_worker(path, tmp_path, number) for _ in range(2)]
    for _ in range(kills):
        victim = workers.pop(chance.randrange(2))
        while victim.poll() is None and not _has_sent(tmp_path, victim):
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.3))
        assert victim.poll() is None, "it was done before the kill"
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        workers.append(_worker(path, tmp_path, number))
    for worker in workers:
        assert worker.wait() == 0
    sent = Counter(line for log in tmp_path.glob("sent-*") for line in log.read_text().split())
    with Ledger(path) as ledger:
        ledger.bury_dead()
        money, lost = ledger.money(), ledger.lost()
        assert ledger.answered() == {request(each).key for each in range(number)}
        assert len(sent) == number
        # One open attempt per worker at most: each kill can lose one, and only that is sent again.
        assert sum(sent.values()) - number <= lost <= kills
        assert lost > 0
        assert money.reserved == 0
        assert round(money.spent, 9) == round(0.01 * number, 9)
        assert round(money.lost, 9) == round(0.5 * lost, 9)


@pytest.mark.parametrize(
    ("number", "seconds"), [(20_000, 1.0), pytest.param(100_000, 2.0, marks=pytest.mark.slow)]
)
def test_many_rows_are_resumed_fast(tmp_path: Path, number: int, seconds: float) -> None:
    instructions, schema = "Say what it is. " * 150, OutputSchema(name="s", json_schema={})
    asked = [request(i, instructions=instructions, schema=schema) for i in range(number)]
    with Ledger(tmp_path / "l.sqlite") as ledger:
        for first in range(0, number, 10_000):
            some = asked[first : first + 10_000]
            claims = ledger.apply([Claim(each) for each in some])
            ledger.apply(
                [Settle(c.attempt, reply(r)) for c, r in zip(claims, some, strict=True) if c]
            )
    again = [request(i, instructions=instructions, schema=schema) for i in range(number)]
    began = time.process_time()
    with Ledger(tmp_path / "l.sqlite") as ledger:
        ledger.bury_dead()
        answered = ledger.answered()
        todo = [each for each in again if each.key not in answered]
    assert todo == []
    assert time.process_time() - began < seconds


_HOLD = """
import sys, time
sys.path.insert(0, sys.argv[2])
from test_llm_ledger import claim, request
from mgld.llm.ledger import Ledger
ledger = Ledger(sys.argv[1])
print(claim(ledger, request(0), usd=0.5).state, flush=True)
time.sleep(60)
"""

_WORK = """
import os, random, sys, time
sys.path.insert(0, sys.argv[2])
from test_llm_ledger import claim, reply, request
from mgld.llm.ledger import Ledger, Settle
from pathlib import Path
number = int(sys.argv[4])
with Ledger(sys.argv[1]) as ledger, open(Path(sys.argv[3]) / f"sent-{os.getpid()}", "w") as sent:
    while len(ledger.answered()) < number:
        ledger.bury_dead()
        every = list(range(number))
        random.shuffle(every)
        for each in every:
            one = request(each)
            result = claim(ledger, one, usd=0.5)
            if result.state == "granted":
                print(each, file=sent, flush=True)
                time.sleep(0.01)
                ledger.apply([Settle(result.attempt, reply(one))])
"""


def _holder(path: Path) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, path, Path(__file__).parent],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "granted"
    return holder


def _has_sent(folder: Path, worker: subprocess.Popen[bytes]) -> bool:
    """Whether it is past its start, which takes seconds where others need the processors too."""
    log = folder / f"sent-{worker.pid}"
    return log.exists() and log.stat().st_size > 0


def _worker(path: Path, folder: Path, number: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _WORK, path, Path(__file__).parent, folder, str(number)]
    )
