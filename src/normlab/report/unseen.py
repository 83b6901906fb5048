"""The suite on data that it has not seen: settings are drawn before they are run there, and what is predicted of them is written down."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from normlab.core.claim import Arm, Case, Claim, Contrast, Text
from normlab.core.design import Design, Grid, load_bed
from normlab.core.effects import CellReader
from normlab.core.pooled import Pooled
from normlab.core.statistics import spread
from normlab.core.trial import ClaimResult, SettingResult
from normlab.core.verdict import pooled_parts
from normlab.errors import NormlabError
from normlab.report.results import Results
from normlab.report.sections import Section
from normlab.verdicts.cells import StoreNumbers, cell_rows

SEEN, UNSEEN = "mnist", "fashion_mnist"  # beds of the same recipe
UNREAD = "no prediction reads it"
SHARE = 0.1  # of an experiment's settings
NORMAL = 1.959963984540054  # 97.5 % of a normal distribution lie below


@dataclass(frozen=True)
class Prediction:
    """What a claim's summary says of the effect in a setting, in units of its δ: the mean, and what bounds it with 95 %.

    The setting is that of ``place`` (axes and values, as JSON) in the claim's ``case`` of that number, its effect that of a ``part``.
    """

    experiment: str
    claim: str
    case: int
    part: int
    place: str
    where: str
    predicted: float
    predict_low: float
    predict_high: float


def draw(section: Section) -> list[Prediction]:
    """A tenth of an experiment's settings, of those that are on the bed seen and may be asked again on the other one.

    The part is the one that decides the summary, the weakest. Contrasts that are counted in the direction of tuning seeds, that pick
    their measure or name a constant in it, and those under conditions stay out, and so does what costs.
    """
    results = [result for result in section.claims if result.pooled]
    run = [setting for result in section.claims for setting in result.settings if setting.run]
    open_to = [
        (result, setting)
        for result in results
        for setting in result.settings
        if setting.run and not setting.same and _may_be_asked(section, setting)
    ]
    if not open_to:
        return []
    seed = int.from_bytes(hashlib.sha256(f"unseen/{section.question.name}".encode()).digest()[:8], "big")
    count = min(len(open_to), max(1, round(SHARE * len(run))))
    chosen = sorted(np.random.default_rng(seed).choice(len(open_to), count, replace=False))
    return [
        _prediction(section, result, setting, pooled_parts(result))
        for result, setting in (open_to[index] for index in chosen)
    ]


def _may_be_asked(section: Section, setting: SettingResult) -> bool:
    design, scale = section.results.design, section.results.scale
    known = design.at(scale).settings.get(str(setting.at.get("setting")))
    beds = [each.bed for each in design.at(scale).settings.values()]
    contrasts = setting.case.parts
    plain = not any(contrast.signed or "{" in _measures(contrast) for contrast in contrasts)
    grids = [design.grids[arm.grid] for contrast in contrasts for arm in contrast.arms]
    alone = beds.count(SEEN) == 1 and UNSEEN not in beds
    asked = known is not None and known.bed == SEEN and not setting.case.given
    return asked and alone and plain and not any(grid.costs for grid in grids)


def _measures(contrast: Contrast) -> str:
    return " ".join(str(arm.measure or contrast.measure) for arm in contrast.arms)


def _prediction(
    section: Section, result: ClaimResult, setting: SettingResult, parts: Sequence[Pooled | None]
) -> Prediction:
    found = [(pooled.mean, index, pooled) for index, pooled in enumerate(parts) if pooled]
    _, part, pooled = min(found, key=lambda each: each[:2])
    cases = result.claim.at(section.results.scale)
    place = {axis: value for axis, value in setting.case.place(setting.at).items() if axis != "setting"}
    return Prediction(
        section.question.name,
        result.claim.id,
        cases.index(setting.case),
        part,
        json.dumps(place, ensure_ascii=False),
        _label(setting.case, place, len(cases) > 1).en,
        pooled.mean,
        pooled.predict_low,
        pooled.predict_high,
    )


def _label(case: Case, place: Mapping[str, Any], several: bool, japanese: Mapping[str, str] | None = None) -> Text:
    at = {"setting": UNSEEN, **place, **(case.at or {})}
    return SettingResult(case, at, [], title=str(load_bed(UNSEEN)["title"])).label(several, japanese)


def label(prediction: Prediction, claim: Claim, scale: str, japanese: Mapping[str, str] | None = None) -> Text:
    """The setting's name for readers."""
    cases = claim.at(scale)
    return _label(cases[prediction.case], json.loads(prediction.place), len(cases) > 1, japanese)


def effect_of(prediction: Prediction, claim: Claim, scale: str) -> Text | None:
    """Which effect is predicted, of a claim with several."""
    parts = claim.at(scale)[prediction.case].parts
    return parts[prediction.part].name if len(parts) > 1 else None


def as_table(predictions: Iterable[Prediction]) -> pd.DataFrame:
    """predictions.csv."""
    return pd.DataFrame([asdict(each) for each in predictions], columns=list(Prediction.__dataclass_fields__))


def from_table(table: pd.DataFrame) -> list[Prediction]:
    return [Prediction(**{str(name): value for name, value in row.items()}) for row in table.to_dict("records")]


# What is run


def there(grid: str, experiment: str) -> str:
    """What an experiment's grid is called where it is asked again."""
    return f"{experiment}__{grid}"


def moved(part: Contrast, experiment: str) -> Contrast:
    """A contrast of an experiment's grids as one of theirs there."""

    def arm(one: Arm) -> Arm:
        return replace(one, grid=there(one.grid, experiment))

    less = (arm(part.less[0]), arm(part.less[1])) if part.less else None
    return replace(part, plus=arm(part.plus), minus=arm(part.minus) if part.minus else None, less=less)


def content(
    predictions: Sequence[Prediction], asked: Mapping[str, tuple[Design, Sequence[Claim]]], scale: str
) -> dict[str, Any]:
    """The settings and grids of a design that runs what is predicted: a setting an experiment, on the other bed, and of its grids the
    cells that are read.
    """
    settings: dict[str, Any] = {}
    grids: dict[str, Any] = {}
    read: dict[str, set[tuple[Any, ...]]] = {}
    for prediction in predictions:
        design, claims = asked[prediction.experiment]
        case = case_of(prediction, claims, scale)
        settings[prediction.experiment] = _setting(design, scale)
        contrast = case.parts[prediction.part]
        for one in contrast.arms:
            name = there(one.grid, prediction.experiment)
            cells = _add(grids, design.grids[one.grid].at_scale(scale), prediction, contrast, one)
            read.setdefault(name, set()).update(cells)
    for name, cells in read.items():
        axes = grids[name]["axes"]
        others = [
            dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values()) if values not in cells
        ]
        if others:
            grids[name]["skip"] = [*grids[name].get("skip", ()), *({"when": when, "reason": UNREAD} for when in others)]
    return {"settings": settings, "grids": grids}


def case_of(prediction: Prediction, claims: Sequence[Claim], scale: str) -> Case:
    """The case whose setting is drawn.

    Raises:
        NormlabError: where the claim is another one by now, so that the prediction is none of it.
    """
    claim = next((claim for claim in claims if claim.id == prediction.claim), None)
    cases = claim.at(scale) if claim else ()
    if claim is None or prediction.case >= len(cases) or label(prediction, claim, scale).en != prediction.where:
        raise NormlabError(
            f"predictions.csv: {prediction.claim}, {prediction.where}: no claim has this setting any more; let the claim be as it was, "
            "or take out the row and say why"
        )
    return cases[prediction.case]


def _setting(design: Design, scale: str) -> dict[str, Any]:
    """The setting on the bed seen as it is on the other: with what it says itself."""
    known = next(setting for setting in design.at(scale).settings.values() if setting.bed == SEEN)
    bed = load_bed(SEEN)
    own = {
        name: {key: value for key, value in getattr(known, name).items() if bed.get(name, {}).get(key) != value}
        for name in ("overrides", "constants")
    }
    return {"bed": UNSEEN, **{name: values for name, values in own.items() if values}}


def _add(
    grids: dict[str, Any], grid: Grid, prediction: Prediction, contrast: Contrast, arm: Arm
) -> Iterable[tuple[Any, ...]]:
    """Put the cells of a grid that an arm reads among those that are run; their values on its axes."""
    name = there(arm.grid, prediction.experiment)
    whole = grid.model_dump(mode="json", exclude_unset=True, exclude={"at", "settings", "timed", "evaluate"})
    found = grids.setdefault(name, {"settings": [prediction.experiment], **whole, "axes": {}})
    wanted = {**json.loads(prediction.place), **arm.axes}
    varied = {contrast.over, arm.extreme.axis if arm.extreme else None}
    linked = any(level.where for level in grid.choose.levels.values()) if grid.choose else False
    read = []
    for axis, values in grid.axes.items():
        kept = list(values) if linked or axis in varied or axis not in wanted else [wanted[axis]]
        read.append(kept)
        taken = found["axes"].setdefault(axis, {} if isinstance(values, dict) else [])
        for value in kept:
            if isinstance(values, dict):
                taken[value] = values[value]
            elif value not in taken:
                taken.append(value)
    evaluations = {text.partition(".")[0] for text in _measures(contrast).split() if "." in text}
    if evaluations & set(grid.evaluate):
        found["evaluate"] = sorted({*found.get("evaluate", ()), *(evaluations & set(grid.evaluate))})
    return itertools.product(*read)


# What came of it


def held_against(
    predictions: Sequence[Prediction], asked: Mapping[str, Sequence[Claim]], results: Results
) -> pd.DataFrame:
    """A row a prediction: the effect that was found, in units of δ, and whether it is inside: no further from the middle of the interval
    predicted than √(h² + (1.96·SE)²), with h half its width. Predictions that are not run yet have no effect.
    """
    reader = CellReader(cell_rows(results.expansion, results.store), StoreNumbers(results.store))
    rows = []
    for prediction in predictions:
        part = case_of(prediction, asked[prediction.experiment], results.scale).parts[prediction.part]
        claim = next(claim for claim in asked[prediction.experiment] if claim.id == prediction.claim)
        setting = results.design.at(results.scale).settings.get(prediction.experiment)
        if setting is None:
            raise NormlabError(f"configs/experiment/unseen.yaml lacks {prediction.experiment}: run `make unseen`")
        delta = part.delta if part.delta is not None else claim.delta
        delta = setting.constants[delta] if isinstance(delta, str) else delta
        place = {"setting": prediction.experiment, **json.loads(prediction.place)}
        grid = there(part.plus.grid, prediction.experiment)
        seeds = results.design.looks(results.scale, grid, prediction.experiment).upto(1)
        effects = reader.effects(moved(part, prediction.experiment), place, setting.constants, seeds)
        found = np.array([]) if effects.missing or effects.same else effects.array / delta
        rows.append(asdict(prediction) | _found(prediction, found, effects.step / delta))
    return pd.DataFrame(rows)


def _found(prediction: Prediction, found: np.ndarray, step: float) -> dict[str, Any]:
    n = len(found)
    if n < 3:
        return {"n": n, "estimate": None, "standard_error": None, "inside": None}
    estimate = float(found.mean())
    error = spread(found, step) * ((n - 1) / max(n - 3, 1) / n) ** 0.5
    inside = _inside(estimate, float(error), prediction.predict_low, prediction.predict_high)
    return {"n": n, "estimate": estimate, "standard_error": float(error), "inside": inside}


def _inside(estimate: float, error: float, low: float, high: float) -> bool:
    return abs(estimate - (low + high) / 2) <= (((high - low) / 2) ** 2 + (NORMAL * error) ** 2) ** 0.5


def seen_inside(sections: Iterable[Section]) -> tuple[int, int]:
    """By the same rule, how many of the settings that summaries were made of are inside, of how many: what the 95 % are worth."""
    found = [
        _found(prediction, part.effects.array / part.delta, part.effects.step / part.delta)["inside"]
        for section in sections
        for result in section.claims
        if not section.old and result.pooled
        for parts in [pooled_parts(result)]
        for setting in result.settings
        if setting.run and not setting.same
        for prediction in [_prediction(section, result, setting, parts)]
        for part in setting.parts[prediction.part : prediction.part + 1]
        if part.delta > 0
    ]
    told = [inside for inside in found if inside is not None]
    return sum(told), len(told)
