"""Tracking: what a sweep costs when the W&B service is down, silent, or refuses the key."""

import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest import mock

from normlab.bench.overhead import timed_script
from normlab.bench.rows import Row, machine, ratio

RUNS, ROUNDS = 24, 2
NORMAL = ("data=digits", "net.widths=[16,32]", "training.epochs=60")  # some seconds a run, as most of the suite's


def tracker() -> Iterator[Row]:
    """The same sweep without a tracker and with one whose service fails in one of three ways, in turns."""
    services = {"is down": closed, "accepts and never answers": silent, "refuses the key": refusing}
    plain: list[float] = []
    tracked: dict[str, list[float]] = {name: [] for name in services}
    for _ in range(ROUNDS):
        plain.append(sweep("tracker=none"))
        for name, service in services.items():
            with service() as port, mock.patch.dict(os.environ, _key_for(port)):
                tracked[name].append(sweep("tracker=wandb"))
    for name, walls in tracked.items():
        row = Row("tracker", f"{RUNS} runs of normal length", f"W&B {name}", "no tracker", bar=1.05, better="lower")
        yield ratio(row, walls, plain, "{:,.0f} s")


def sweep(tracker: str) -> float:
    """Wall seconds of a sweep on all cores, in folders of its own."""
    launcher = ("hydra/launcher=joblib", f"hydra.launcher.n_jobs={machine()['cores']}")
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {"WANDB_DIR": folder}):
        results = f"results={Path(folder) / 'results'}"
        return timed_script("train.py", "-m", f"seed=range({RUNS})", *NORMAL, tracker, results, *launcher)


def _key_for(port: int) -> dict[str, str]:
    return {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": f"http://127.0.0.1:{port}", "WANDB_MODE": "online"}


@contextmanager
def closed() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def silent() -> Iterator[int]:
    """A server that accepts connections (the system does, for whoever listens) and never reads or answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1024)
        yield listening.getsockname()[1]


@contextmanager
def refusing() -> Iterator[int]:
    """A server that answers every request with 401."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusal)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Refusal(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Say nothing."""
