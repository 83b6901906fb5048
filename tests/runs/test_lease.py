"""Leases: one holder at a time, through death, takeover, other machines, and clocks that mean nothing."""

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

from normlab.core.record import StoreError
from normlab.runs import lease as module
from normlab.runs.lease import Lease, Leases
from normlab.runs.store import Store

HOLDS = """
import sys
from pathlib import Path
from normlab.runs.lease import Leases
lease = Leases(Path(sys.argv[1])).take(sys.argv[2])
print(lease is not None, flush=True)
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
    leases, others = Leases(tmp_path), Leases(tmp_path)
    with leases.take("x") as lease:  # type: ignore[union-attr]
        assert lease is not None
        assert others.take("x") is None
        assert others.take("y") is not None
        assert others.held() == {"x", "y"}
    again = others.take("x")
    assert again is not None
    again.release()
    again.release()
    assert leases.held() == {"y"}
    assert leases.abandoned() == set()


def test_a_killed_holders_claim_is_taken_over_at_once(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    with holder(tmp_path) as child:
        assert leases.take("x") is None
        assert leases.held() == {"x"}
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert leases.held() == set()
        assert leases.abandoned() == {"x"}
        assert leases.take("x") is not None


def test_a_process_number_used_again_is_not_its_first_owner(tmp_path: Path) -> None:
    mine = {"machine": module.this_machine(), "pid": os.getpid(), "started": "1", "count": 0}
    (tmp_path / "x.lease").write_text(json.dumps(mine))
    assert Leases(tmp_path).take("x") is not None


def foreign(folder: Path, count: int) -> None:
    """A holder on another machine: of its process nothing can be seen from here."""
    content = {"machine": "elsewhere", "pid": os.getpid(), "started": "1", "count": count}
    (folder / "x.lease").write_text(json.dumps(content))


def test_a_holder_elsewhere_lives_as_long_as_its_count_moves(tmp_path: Path) -> None:
    leases = Leases(tmp_path, patience=0.2)
    for count in range(4):
        foreign(tmp_path, count)
        assert leases.take("x") is None
        time.sleep(0.15)
    assert leases.take("x") is None
    time.sleep(0.25)
    assert leases.take("x") is not None


def test_no_clock_of_another_machine_matters(tmp_path: Path) -> None:
    leases = Leases(tmp_path, patience=0.2)
    for stamp in (0, 4e9):  # files from 1970 and from 2096
        foreign(tmp_path, int(stamp))
        os.utime(tmp_path / "x.lease", (stamp, stamp))
        assert leases.take("x") is None
    time.sleep(0.25)
    assert leases.take("x") is not None


def test_a_torn_claim_is_given_time_and_then_taken_over(tmp_path: Path) -> None:
    (tmp_path / "x.lease").write_bytes(b'{"machi')
    leases = Leases(tmp_path, patience=0.2)
    assert leases.take("x") is None
    time.sleep(0.25)
    assert leases.take("x") is not None


def test_a_slow_holder_that_was_taken_over_takes_nothing_away(tmp_path: Path) -> None:
    slow = Leases(tmp_path).take("x")
    assert slow is not None
    (tmp_path / "x.lease").unlink()  # as another machine would, after waiting in vain
    second = Leases(tmp_path).take("x")
    assert second is not None
    slow.release()
    assert (tmp_path / "x.lease").exists()
    second.release()
    assert not (tmp_path / "x.lease").exists()


def test_holders_give_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.02)
    with Leases(tmp_path).take("x"):  # type: ignore[union-attr]
        first = (tmp_path / "x.lease").read_bytes()
        time.sleep(0.2)
        assert (tmp_path / "x.lease").read_bytes() != first


def _contend(folder: str, rounds: int, start: object) -> None:
    leases = Leases(Path(folder))
    start.wait()  # type: ignore[attr-defined]
    for name in range(rounds):
        lease = leases.take(str(name))
        if lease is not None:
            with (Path(folder) / f"{name}.taken").open("a") as file:
                file.write(f"{os.getpid()}\n")
            # held for good: released leases may rightly be taken again
            lease._released.set()
            os.close(os.dup(lease._descriptor))


@pytest.mark.parametrize("dead", [False, True])
def test_of_many_that_want_it_one_gets_it(tmp_path: Path, dead: bool) -> None:
    """Also where all want what a dead holder left."""
    rounds, context = 40, multiprocessing.get_context("spawn")
    if dead:
        gone = {"machine": module.this_machine(), "pid": 2**22 + 1, "started": "1", "count": 0}
        for name in range(rounds):
            (tmp_path / f"{name}.lease").write_text(json.dumps(gone))
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
    with store.exclusive("x"), holder(tmp_path / "leases", "y"):
        assert Store(tmp_path).lease("x") is None
        assert store.running() == {"x", "y"}
    assert store.abandoned() == {"y"}


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write below"):
        Store(tmp_path / "file").lease("x")


def test_a_claim_can_only_be_made_once(tmp_path: Path) -> None:
    with Lease.create(tmp_path / "x.lease"):  # type: ignore[union-attr]
        assert Lease.create(tmp_path / "x.lease") is None
