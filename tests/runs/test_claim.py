"""Claims: one holder at a time, through death, takeover, other machines, and clocks that mean nothing."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from normlab.runs import claim as module
from normlab.runs.claim import Claim, Claims
from normlab.runs.record import StoreError
from normlab.runs.store import Store

HOLDS = """
import sys
from pathlib import Path
from normlab.runs.claim import Claims
claim = Claims(Path(sys.argv[1])).take(sys.argv[2])
print(claim is not None, flush=True)
input()
"""


@contextmanager
def holder(folder: Path, name: str = "x", **environment: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDS, str(folder), name]
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=os.environ | environment)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "True"
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def test_one_holder_until_it_lets_go(tmp_path: Path) -> None:
    claims, others = Claims(tmp_path), Claims(tmp_path)
    with claims.take("x") as claim:  # type: ignore[union-attr]
        assert claim is not None
        assert others.take("x") is None
        assert others.take("y") is not None
        assert others.held() == {"x", "y"}
    again = others.take("x")
    assert again is not None
    again.release()
    again.release()
    assert claims.held() == {"y"}
    assert claims.abandoned() == set()


def test_a_killed_holders_claim_is_taken_over_at_once(tmp_path: Path) -> None:
    claims = Claims(tmp_path)
    with holder(tmp_path) as child:
        assert claims.take("x") is None
        assert claims.held() == {"x"}
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert claims.held() == set()
        assert claims.abandoned() == {"x"}
        assert claims.take("x") is not None


def test_a_process_number_used_again_is_not_its_first_owner(tmp_path: Path) -> None:
    mine = {"machine": module.this_machine(), "pid": os.getpid(), "started": "1", "count": 0}
    (tmp_path / "x.claim").write_text(json.dumps(mine))
    assert Claims(tmp_path).take("x") is not None


def foreign(folder: Path, count: int) -> None:
    """A holder on another machine: of its process nothing can be seen from here."""
    content = {"machine": "elsewhere", "pid": os.getpid(), "started": "1", "count": count}
    (folder / "x.claim").write_text(json.dumps(content))


def test_a_holder_elsewhere_lives_as_long_as_its_count_moves(tmp_path: Path) -> None:
    claims = Claims(tmp_path, patience=0.2)
    for count in range(4):
        foreign(tmp_path, count)
        assert claims.take("x") is None
        time.sleep(0.15)
    assert claims.take("x") is None
    time.sleep(0.25)
    assert claims.take("x") is not None


def test_no_clock_of_another_machine_matters(tmp_path: Path) -> None:
    claims = Claims(tmp_path, patience=0.2)
    for stamp in (0, 4e9):  # files from 1970 and from 2096
        foreign(tmp_path, int(stamp))
        os.utime(tmp_path / "x.claim", (stamp, stamp))
        assert claims.take("x") is None
    time.sleep(0.25)
    assert claims.take("x") is not None


def test_a_torn_claim_is_given_time_and_then_taken_over(tmp_path: Path) -> None:
    (tmp_path / "x.claim").write_bytes(b'{"machi')
    claims = Claims(tmp_path, patience=0.2)
    assert claims.take("x") is None
    time.sleep(0.25)
    assert claims.take("x") is not None


def test_a_slow_holder_that_was_taken_over_takes_nothing_away(tmp_path: Path) -> None:
    slow = Claims(tmp_path).take("x")
    assert slow is not None
    (tmp_path / "x.claim").unlink()  # as another machine would, after waiting in vain
    second = Claims(tmp_path).take("x")
    assert second is not None
    slow.release()
    assert (tmp_path / "x.claim").exists()
    second.release()
    assert not (tmp_path / "x.claim").exists()


def test_holders_give_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.02)
    with Claims(tmp_path).take("x"):  # type: ignore[union-attr]
        first = (tmp_path / "x.claim").read_bytes()
        time.sleep(0.2)
        assert (tmp_path / "x.claim").read_bytes() != first


def _contend(folder: str, rounds: int, start: object) -> None:
    claims = Claims(Path(folder))
    start.wait()  # type: ignore[attr-defined]
    for name in range(rounds):
        claim = claims.take(str(name))
        if claim is not None:
            with (Path(folder) / f"{name}.taken").open("a") as file:
                file.write(f"{os.getpid()}\n")
            # held for good: released claims may rightly be taken again
            claim._released.set()
            os.close(os.dup(claim._descriptor))


@pytest.mark.parametrize("dead", [False, True])
def test_of_many_that_want_it_one_gets_it(tmp_path: Path, dead: bool) -> None:
    """Also where all want what a dead holder left."""
    rounds, context = 40, multiprocessing.get_context("spawn")
    if dead:
        gone = {"machine": module.this_machine(), "pid": 2**22 + 1, "started": "1", "count": 0}
        for name in range(rounds):
            (tmp_path / f"{name}.claim").write_text(json.dumps(gone))
    start = context.Barrier(4)
    processes = [context.Process(target=_contend, args=(str(tmp_path), rounds, start)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    # A process that ends is dead, so what it held may be taken by a slower one after it: never by two at one time.
    taken = [(tmp_path / f"{name}.taken").read_text().split() for name in range(rounds)]
    assert all(len(set(pids)) == len(pids) for pids in taken)


def test_two_sweeps_at_once_do_no_run_twice(tmp_path: Path) -> None:
    """What is held is skipped, and waited for by those that need it."""
    store = Store(tmp_path)
    with store.exclusive("x"), holder(tmp_path / "claims", "y"):
        assert Store(tmp_path).claim("x") is None
        assert store.running() == {"x", "y"}
    assert store.abandoned() == {"y"}


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write below"):
        Store(tmp_path / "file").claim("x")


def test_a_claim_can_only_be_made_once(tmp_path: Path) -> None:
    with Claim.create(tmp_path / "x.claim"):  # type: ignore[union-attr]
        assert Claim.create(tmp_path / "x.claim") is None
