"""A real Slurm on one machine, without root or systemd: a controller and some nodes, from Debian's packages.

The packages are fetched and unpacked, not installed. Slurm's accounting needs a database, so a stand-in for ``sacct`` answers
from ``squeue`` and the controller's file of ended jobs.
"""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

LIBRARY = "usr/lib/x86_64-linux-gnu"
SACCT = '''#!{python}
"""What submitit asks sacct for, from squeue and the file of ended jobs."""
import os, re, subprocess, sys
wanted = [a.split("_")[0] for flag, a in zip(sys.argv, sys.argv[1:]) if flag == "-j"]
listed = subprocess.run(["squeue", "-h", "-r", "-t", "all", "-o", "%A|%i|%T|%N"], capture_output=True, text=True).stdout
states, names = {{}}, {{}}
for line in listed.splitlines():
    raw, name, state, nodes = line.split("|")
    names[raw], states[name] = name, (state, nodes)
if os.path.exists({ended!r}):
    for line in open({ended!r}):
        facts = dict(re.findall(r"(\\w+)=(\\S+)", line))
        states.setdefault(names.get(facts["JobId"], facts["JobId"]), (facts["JobState"], facts["NodeList"]))
print("JobID|State|NodeList")
for name, (state, nodes) in states.items():
    if not wanted or name.split("_")[0] in wanted:
        print(f"{{name}}|{{state}}|{{nodes}}")
'''
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={run}/munge/socket
CredType=cred/munge
PluginDir={plugins}
StateSaveLocation={run}/state
SlurmdSpoolDir={run}/spool-%n
SlurmctldPidFile={run}/slurmctld.pid
SlurmdPidFile={run}/slurmd-%n.pid
SlurmctldLogFile={run}/slurmctld.log
SlurmdLogFile={run}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc={run}/ended.txt
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SlurmctldTimeout=10
SlurmdTimeout=10
InactiveLimit=0
KillWait=2
MinJobAge=300
PartitionName=test Nodes=n[1-{nodes}] Default=YES MaxTime=INFINITE State=UP
"""


class UnavailableError(Exception):
    """Slurm's packages cannot be had on this machine."""


def fetch(root: Path) -> None:
    """Unpack Slurm and what it needs below ``root``.

    Raises:
        UnavailableError: with the reason, where that cannot be done.
    """
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise UnavailableError("no apt-get here")
    packages = root.parent / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    plan = subprocess.run(
        ["apt-get", "-s", "install", "--no-install-recommends", "slurm-wlm"],
        capture_output=True,
        text=True,
        check=False,
    )
    names = [line.split()[1] for line in plan.stdout.splitlines() if line.startswith("Inst ")]
    got = subprocess.run(
        ["apt-get", "download", "-q", *names], cwd=packages, capture_output=True, text=True, check=False
    )
    if plan.returncode or got.returncode or not names:
        raise UnavailableError(f"apt-get gives no slurm-wlm: {(plan.stderr + got.stderr).strip()[-200:]}")
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(root)], check=True)


class Slurm:
    """A controller and ``nodes`` nodes of one processor. ``environment`` is what its commands need."""

    def __init__(self, root: Path, run: Path, nodes: int = 2) -> None:
        self.root, self.run, self.nodes = root, run, nodes
        library, plugins = root / LIBRARY, root / LIBRARY / "slurm-wlm"
        path = [run / "bin", root / "usr/bin", root / "usr/sbin", os.environ["PATH"]]
        self.environment = os.environ | {
            "SLURM_CONF": str(run / "slurm.conf"),
            "PATH": ":".join(map(str, path)),
            "LD_LIBRARY_PATH": f"{library}:{plugins}:{os.environ.get('LD_LIBRARY_PATH', '')}".rstrip(":"),
        }
        self._suffix = "-wlm" if (root / "usr/sbin/slurmd-wlm").exists() else ""
        for folder in ("bin", "state", "munge"):
            (run / folder).mkdir(parents=True, exist_ok=True)
        self._configure(plugins)

    def _configure(self, plugins: Path) -> None:
        munge = self.run / "munge"
        munge.chmod(0o711)
        self.run.chmod(0o711)
        (munge / "key").write_bytes(secrets.token_bytes(1024))
        (munge / "key").chmod(0o400)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        host, user = socket.gethostname().split(".")[0], subprocess.check_output(["id", "-un"], text=True).strip()
        lines = CONFIGURATION.format(host=host, user=user, run=self.run, plugins=plugins, nodes=self.nodes, port=port)
        node = "NodeName=n{i} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1 RealMemory=1000 State=UNKNOWN\n"
        nodes = "".join(node.format(i=i, host=host, port=port + i) for i in range(1, self.nodes + 1))
        (self.run / "slurm.conf").write_text(lines.replace("PartitionName", nodes + "PartitionName").lstrip())
        sacct = self.run / "bin" / "sacct"
        sacct.write_text(SACCT.format(python=sys.executable, ended=str(self.run / "ended.txt")))
        sacct.chmod(0o755)

    def _call(self, *command: object) -> str:
        done = subprocess.run(
            [str(part) for part in command], env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
        return done.stdout

    def start(self) -> None:
        """Start everything and wait until all nodes are idle."""
        munge, programs = self.run / "munge", self.root / "usr/sbin"
        self._call(
            programs / "munged", "--force", f"--socket={munge}/socket", f"--key-file={munge}/key",
            f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed",
        )  # fmt: skip
        self._call(programs / f"slurmctld{self._suffix}", "-f", self.run / "slurm.conf")
        for number in range(1, self.nodes + 1):
            self.start_node(number)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if len(self._call("sinfo", "-h", "-N", "-t", "idle", "-o", "%N").split()) == self.nodes:
                return
            time.sleep(0.25)
        raise RuntimeError(f"Slurm's nodes do not come up; see {self.run}/slurmctld.log")

    def start_node(self, number: int) -> None:
        """Start a node."""
        (self.run / f"spool-n{number}").mkdir(exist_ok=True)
        programs = self.root / "usr/sbin"
        step = programs / f"slurmstepd{self._suffix}"
        self._call(programs / f"slurmd{self._suffix}", "-f", self.run / "slurm.conf", "-N", f"n{number}", "-d", step)

    def kill_node(self, number: int) -> None:
        """SIGKILL a node: its daemon, and every process of its jobs."""
        os.kill(int((self.run / f"slurmd-n{number}.pid").read_text()), signal.SIGKILL)
        for process in Path("/proc").glob("[0-9]*"):
            try:
                environment = (process / "environ").read_bytes().split(b"\0")
                parent = re.search(r"^PPid:\s*(\d+)", (process / "status").read_text(), re.MULTILINE)
                if f"SLURMD_NODENAME=n{number}".encode() not in environment:
                    continue
                if f"SLURM_CONF={self.run}/slurm.conf".encode() not in environment:
                    continue
                if parent and b"slurmstepd" in Path(f"/proc/{parent[1]}/cmdline").read_bytes():
                    os.kill(int(parent[1]), signal.SIGKILL)
                os.kill(int(process.name), signal.SIGKILL)
            except (OSError, ProcessLookupError):
                continue  # gone in the meantime, or another user's

    def stop(self) -> None:
        """Stop everything that still runs."""
        for file in [*self.run.glob("slurmd-*.pid"), self.run / "slurmctld.pid", self.run / "munge" / "pid"]:
            try:
                os.kill(int(file.read_text()), signal.SIGTERM)
            except (OSError, ValueError):
                continue
