"""What moves runs between stores and drops those that no design asks for."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from experiments import load_experiment
from normlab.core.record import Record
from normlab.errors import NormlabError
from normlab.runs.store import Store
from normlab.sweeps.expand import Expander


@pytest.fixture(scope="module")
def script() -> ModuleType:
    file = Path(__file__).parents[1] / "scripts" / "store.py"
    spec = importlib.util.spec_from_file_location("store_script", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_prune_keeps_what_designs_ask_for_and_take_brings_runs_and_registrations(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = Store(tmp_path / "quick"), Store(tmp_path / "elsewhere")
    asked = Expander(load_experiment("gates").design, "quick", here).expand().planned[0].run_key
    for store, key in ((here, asked), (here, "nobody's"), (there, "another")):
        store.put(Record({"run_key": key, "status": "ok", "test_accuracy": 0.5, "seconds": 1.0}, [{"step": 1}]))
    there.compact()
    (here.root / "registered.json").write_text(json.dumps({"sixteen-is-enough": "old", "worked-example": "exact"}))
    (there.root / "registered.json").write_text(json.dumps({"sixteen-is-enough": "new"}))
    script.main(["prune", "--results", str(tmp_path), "--scale", "quick"])
    assert set(Store(here.root).refresh().runs()["run_key"]) == {asked}
    told = capsys.readouterr().out
    assert "1 runs dropped that no design asks for (1 of no experiment)" in told
    assert "registered anew, for none of their runs is there: sixteen-is-enough" in told
    script.main(["take", str(there.root), "--results", str(tmp_path), "--scale", "quick"])
    assert set(Store(here.root).refresh().runs()["run_key"]) == {asked, "another"}
    assert json.loads((here.root / "registered.json").read_text()) == {"sixteen-is-enough": "new"}
    with pytest.raises(NormlabError, match="no store"):
        script.main(["take", str(tmp_path / "nothing"), "--results", str(tmp_path)])
