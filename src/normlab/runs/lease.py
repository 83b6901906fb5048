"""The right to do a run, held by one process among any number of them on any number of machines that share a folder."""

import json
import os
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import TracebackType

BEAT_SECONDS = 2.0  # between two signs of life of a holder
PATIENCE_SECONDS = 30.0  # without one, after which a holder on another machine is taken for dead


@lru_cache(maxsize=1)
def this_machine() -> str:
    """What tells this machine's process numbers from those of any other machine, boot or container, whatever its name."""
    parts = [Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")]
    try:
        return parts[0].read_text().strip() + "/" + str(parts[1].readlink())
    except OSError:  # not Linux: one identity a process, so that signs of life decide
        return secrets.token_hex(16)


def started_at(pid: int) -> str | None:
    """When a process of this machine began, in the kernel's own count; None if it is not there, or dead and not yet reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in ("Z", "X") else fields[19]
    except (OSError, IndexError):
        return None


@dataclass
class Sign:
    """What a lease's file said when it was first seen like this, and when that was on this process's own clock."""

    content: bytes
    seen: float


class Leases:
    """Leases as files below ``folder``: made by atomic creation, kept alive by signs of life, taken over from the dead.

    A lease is one file that only one process can create. Its content names the holder (machine, process, start of the process)
    and counts up every ``BEAT_SECONDS``. A holder on this machine is alive as long as its process is; one on another machine as
    long as its count moves, which each process watches by its own clock for ``patience`` seconds: clocks of different
    machines are never compared. Taking over is a rename that only one process can do. Should a holder that was taken for dead
    live on after all, two processes do the same run, which gives the same record twice.
    """

    def __init__(self, folder: Path, patience: float = PATIENCE_SECONDS) -> None:
        self.folder = folder
        self.patience = patience
        self._signs: dict[str, Sign] = {}

    def take(self, name: str) -> "Lease | None":
        """The lease ``name``, or None while another process holds it.

        Raises:
            OSError: if the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self._file(name)
        if file.exists() and not self._bury(file):
            return None
        return Lease.create(file)

    def held(self) -> set[str]:
        """The names of leases whose holder is alive, as far as one can tell now."""
        return {file.stem for file in self.folder.glob("*.lease") if self._alive(file)}

    def abandoned(self) -> set[str]:
        """The names of leases whose holder is dead."""
        return {file.stem for file in self.folder.glob("*.lease") if not self._alive(file)}

    def bury(self) -> set[str]:
        """Remove the leases of dead holders; their names. A holder on another machine is known to be dead only to a process
        that has watched it for a while, so ask again and again.
        """
        return {file.stem for file in self.folder.glob("*.lease") if not self._alive(file) and self._bury(file)}

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.lease"

    def _bury(self, file: Path) -> bool:
        """Remove a dead holder's lease; whether the name is free now."""
        content = _read(file)
        if content is None:
            return True
        if self._alive(file):
            return False
        grave = file.with_suffix(f".{secrets.token_hex(8)}")
        try:
            file.rename(grave)
        except FileNotFoundError:
            return False  # another process was quicker, and will hold it in a moment
        if _read(grave) != content:  # between the look and the rename it changed hands: give it back
            with suppress(FileExistsError):
                os.link(grave, file)
            grave.unlink(missing_ok=True)
            return False
        grave.unlink(missing_ok=True)
        return True

    def _alive(self, file: Path) -> bool:
        content = _read(file)
        if content is None:
            return False
        try:
            holder = json.loads(content)
            if holder["machine"] == this_machine():
                return started_at(holder["pid"]) == holder["started"]
        except (ValueError, KeyError, TypeError):
            pass  # half written, or foreign: whether it changes decides
        sign = self._signs.get(file.stem)
        if sign is None or sign.content != content:
            self._signs[file.stem] = Sign(content, time.monotonic())
            return True
        return time.monotonic() - sign.seen < self.patience


class Lease:
    """A lease that this process holds; a context manager that releases it."""

    def __init__(self, file: Path, descriptor: int) -> None:
        self.file = file
        self._descriptor = descriptor
        self._count = 0
        self._released = threading.Event()
        self._beat()
        self._thread = threading.Thread(target=self._keep_alive, name=f"lease {file.stem}", daemon=True)
        self._thread.start()

    @classmethod
    def create(cls, file: Path) -> "Lease | None":
        """A new lease, or None if another process was quicker."""
        try:
            return cls(file, os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644))
        except FileExistsError:
            return None

    def _beat(self) -> None:
        """Say once more that the holder lives; a full disk does not stop the run over it."""
        pid = os.getpid()
        holder = {"machine": this_machine(), "pid": pid, "started": started_at(pid), "count": self._count}
        self._count += 1
        with suppress(OSError):
            os.pwrite(self._descriptor, json.dumps(holder).encode().ljust(256), 0)
            # Closing a descriptor of the file has a network file system send what was written; a local one has nothing to do.
            os.close(os.dup(self._descriptor))

    def _keep_alive(self) -> None:
        while not self._released.wait(BEAT_SECONDS):
            self._beat()

    def release(self) -> None:
        """Let others have it; nothing happens the second time."""
        if not self._released.is_set():
            self._released.set()
            self._thread.join()
            if _same_file(self.file, self._descriptor):  # else it was taken over
                self.file.unlink(missing_ok=True)
            os.close(self._descriptor)

    def __enter__(self) -> "Lease":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None


def _same_file(file: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(descriptor))
    except OSError:
        return False
