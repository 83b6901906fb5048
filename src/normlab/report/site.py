"""Builds results/<scale>/: verdicts.csv, tables, figures and the page."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import itables
import itables.javascript
import itables.options
import jinja2
import pandas as pd
from markupsafe import Markup, escape

from normlab.config import ROUTES
from normlab.core.record import write_atomically
from normlab.core.statistics import bootstrap_interval
from normlab.core.trial import ClaimResult
from normlab.core.verdict import add_q_values, verdict_rows, verdict_table
from normlab.core.word import TESTED
from normlab.report import sentences
from normlab.report.choice import Choice, Situation, choice_figure, choice_table, choose, pareto_figure
from normlab.report.forest import forest
from normlab.report.methods import method_table
from normlab.report.overview import MARKS, Block, overview_figure
from normlab.report.results import Published, Question, Results
from normlab.report.style import DATA_TITLES, OLD, VERDICT_COLOURS, method_title, use_style
from normlab.report.svg import save_figure
from normlab.runs.store import Store
from normlab.sweeps.compose import Composer
from normlab.verdicts.registry import Lock, claim_hash, grids_of, registered, second_look_changed

COLUMN_WIDTHS = ("13%", "34%", "13%", "11%", "25%", "4%")  # of the verdict table


@dataclass
class Section:
    """One experiment of the report."""

    question: Question
    results: Results
    claims: list[ClaimResult]
    figure: str | None = None
    table: pd.DataFrame | None = None
    figures: dict[str, str] = field(default_factory=dict)
    published: dict[str, Published] = field(default_factory=dict)
    runs: int = 0

    @property
    def old(self) -> bool:
        """Whether its evidence is that of the first edition, to be replaced."""
        return self.question.design.edition == 1

    def figure_name(self, result: ClaimResult) -> str:
        """The file name of a claim's figure; empty while it has no runs."""
        return f"{self.question.name}--{result.claim.id}" if result.run else ""

    def notes(self, result: ClaimResult) -> list[str]:
        """Rates not tuned, or tuned at the end of their grid, on the claim's grids; looks that are outstanding."""
        grids = grids_of(result.claim)
        expanded = self.results.expansion.notes
        notes = [f"{grid}: {note}" for grid, notes in expanded.items() if grid in grids for note in notes]
        waiting = sum(setting.outstanding for setting in result.settings)
        return [*notes, f"{waiting} settings wait for the runs of their next look"] if waiting else notes


def evaluate(questions: list[Question], scale: str, store: Store, lock: Lock) -> list[Section]:
    """Evaluate and judge every claim at a scale."""
    store.refresh()
    composer = Composer()
    noted = registered(store.root)
    sections = []
    for question in questions:
        if scale not in question.design.scales:
            continue
        results = Results.load(question.design, question.claims, scale, store, composer)
        for result in results.judged:
            now = claim_hash(result.claim, question.design, scale)
            result.locked = lock.get(result.claim.id, {}).get(scale) == now
            result.changed_after_first_run = noted.get(result.claim.id, now) != now or second_look_changed(
                noted, question.design, scale
            )
        runs = len({p.run_key for p in results.expansion.planned if p.run_key in store})
        found = question.published(results) if runs else {}
        published = {name: each for name, each in found.items() if len(each.table)}
        section = Section(question, results, results.judged, published=published, runs=runs)
        if runs or not section.old:
            sections.append(section)
    add_q_values([result for section in sections for result in section.claims])
    return sections


def verdicts_of(sections: list[Section]) -> pd.DataFrame:
    """verdicts.csv."""
    rows = []
    for section in sections:
        for result in section.claims:
            name = section.figure_name(result)
            rows += [
                row | {"edition": section.question.design.edition}
                for row in verdict_rows(result, section.question.name, f"figures/{name}.png" if name else "")
            ]
    return verdict_table(rows)


def build(questions: list[Question], scale: str, store: Store, lock: Lock) -> tuple[list[Section], Path]:
    """Write everything; the sections and the page's path."""
    use_style()
    sections = evaluate(questions, scale, store, lock)
    for section in sections:
        for name, published in section.published.items():
            _table(published.table, store.root, name, folder=".")
    for section in sections:
        decided = not section.claims or any(result.run for result in section.claims)
        figure = section.question.draw(section.results) if decided else None
        if figure is not None:
            section.figure = save_figure(
                figure, store.root / "figures", section.question.name, section.results.caption()
            )
        section.table = section.question.table(section.results) if decided else None
        if section.table is not None:
            _table(section.table, store.root, f"{section.question.name}--table")
        for result in section.claims:
            name = section.figure_name(result)
            if name:
                section.figures[result.claim.id] = save_figure(
                    forest(result, section.results.foot, section.results.untrained), store.root / "figures", name
                )
                _table(_parts(result), store.root, name)
        if not section.results.cells.empty:
            _table(_cell_table(section.results), store.root, section.question.name)
    choice = _choice(
        [s for section in sections for s in section.question.situations(section.results)], store.root, sections
    )
    methods = method_table()
    _table(methods, store.root, "method-table")
    verdicts = verdicts_of(sections)
    _table(verdicts, store.root, "verdicts", folder=".")
    drawn = overview_figure(overview(sections))
    if drawn is not None:
        save_figure(drawn, store.root / "figures", "verdicts", f"scale {scale} · {sections[0].results.device}")
    page = store.root / "report" / "index.html"
    write_atomically(page, _render(sections, verdicts, methods, choice, scale, store).encode())
    return sections, page


def overview(sections: list[Section]) -> list[Block]:
    """The title of every question and the verdicts of its claims."""
    return [Block(s.question.design.title, {r.claim.id: r.verdict.word for r in s.claims}, s.old) for s in sections]


@dataclass(frozen=True)
class Chapter:
    """Which normalization: the choices, and as SVG their map and, where costs are measured, accuracy against cost."""

    choices: list[Choice]
    figure: str
    pareto: str | None


def _choice(situations: list[Situation], root: Path, sections: list[Section]) -> Chapter | None:
    """Write the table and the map of the choice of a method; None without situations."""
    if not situations:
        return None
    choices = [choose(situation) for situation in situations]
    _table(choice_table(choices), root, "which-normalization")
    seeds = {len(c.accuracy) for situation in situations for c in situation.candidates}
    several = f"{min(seeds)} to {max(seeds)}" if len(seeds) > 1 else f"{seeds.pop()}"
    caption = (
        f"test accuracy, % (mean ± standard deviation over n = {several} seeds, each method at its best rate) · ★ best, outlined: not "
        f"distinguishable from it · scale {sections[0].results.scale} · "
        f"{sections[0].results.device}"
    )
    figure = save_figure(choice_figure(choices), root / "figures", "which-normalization", caption)
    drawn = pareto_figure(choices)
    note = f"line: no method is both cheaper and more accurate · n = {several} seeds · {sections[0].results.where}"
    pareto = save_figure(drawn, root / "figures", "accuracy-against-cost", note) if drawn else None
    return Chapter(choices, figure, pareto)


def _table(table: pd.DataFrame, root: Path, name: str, folder: str = "tables") -> None:
    write_atomically(root / folder / f"{name}.csv", table.to_csv(index=False, float_format="%.6g").encode())


def _parts(result: ClaimResult) -> pd.DataFrame:
    """All contrasts of a claim, a row each."""
    several = len(result.claim.cases) > 1
    return pd.DataFrame(
        [
            {
                "setting": setting.label(several).en,
                "part": part.contrast.name.en,
                "condition": any(part is each for each in setting.given),
                "verdict of the setting": str(setting.verdict),
                **dict(zip(("estimate", "low", "high"), part.interval, strict=True)),
                **dict(zip(("bootstrap_low", "bootstrap_high"), bootstrap_interval(part.effects.array), strict=True)),
                "unit": part.unit,
                "sesoi": part.delta,
                **{f"p_{word}": part.p(word) for word in TESTED},
                "n": part.n,
                "diverged": part.effects.diverged,
                "censored": part.effects.censored,
                "excluded": part.effects.excluded,
                "effects": json.dumps({str(k): round(v, 6) for k, v in part.effects.by_seed.items()}),
            }
            for setting in result.settings
            for part in (*setting.parts, *setting.given)
        ]
    )


def _cell_table(results: Results) -> pd.DataFrame:
    """Means over seeds of the experiment's reported cells, with every kind of statistics at evaluation."""
    cells = results.cells[results.cells["role"] == "report"].drop(columns=["run_key", "status", "role"])
    keys = results.cells.loc[cells.index, "run_key"]
    facts = [results.store.facts(key) or {} for key in keys]
    suffixes = {"running": "", "recalibrated": "_recalibrated", "batch": "_batch"}
    for route in ROUTES:
        cells[f"test_accuracy_{route}"] = [
            f.get("chance") if f.get("status") == "diverged" else f.get(f"test_accuracy{suffixes[route]}")
            for f in facts
        ]
    cells["diverged"] = [f.get("status") == "diverged" for f in facts]
    cells["train_loss"] = [f.get("train_loss") for f in facts]
    cells["seconds"] = [f.get("seconds") for f in facts]
    axes = [
        c
        for c in cells.columns
        if c not in ("seed", "diverged", "train_loss", "seconds") and not c.startswith("test_accuracy")
    ]
    cells[axes] = cells[axes].map(lambda v: json.dumps(v) if isinstance(v, dict | list) else v)
    numbers = [c for c in cells.columns if c not in (*axes, "seed")]
    grouped = cells.groupby(axes, dropna=False, sort=False)
    means = grouped[numbers].mean()
    means.insert(0, "n", grouped["seed"].nunique())
    means["test_accuracy_sd"] = grouped["test_accuracy_running"].std()
    table = means.dropna(axis=1, how="all").reset_index().dropna(axis=1, how="all")
    linear = {setting: results.linear(setting) for setting in results.settings}
    if any(linear.values()) and "test_accuracy_running" in table:
        bars = table["setting"].map(linear).astype(float)
        table["untrained"] = table["test_accuracy_running"] <= bars
    return table


def _verdict_view(sections: list[Section]) -> str:
    """The table of all verdicts, with search and sorting; the library is inside the page."""
    rows = []
    for section in sections:
        for result in section.claims:
            claim = result.claim
            part = result.deciding.deciding if result.deciding else None
            told, verdict = sentences.settings_by_verdict(result), sentences.verdict_text(result.verdict, result)
            counted = both(f" ({told.en})", f"({told.ja})") if len(result.counts) > 1 else ""
            shown = sentences.shown_effect(result)
            colour = OLD if section.old else VERDICT_COLOURS[result.verdict.word]
            old = both(" · edition 1", " · 第1版") if section.old else ""
            rows.append(
                {
                    "Verdict": Markup('<b style="color:{}">{}{}</b>{}').format(
                        colour, both(verdict.en, verdict.ja), old, counted
                    ),
                    "Claim": f'<a href="#{escape(claim.id)}">{escape(claim.id)}</a><br>{both(claim.statement.en, claim.statement.ja)}',
                    "Articles": str(escape(", ".join(claim.sources))),
                    "Experiment": str(escape(section.question.name)),
                    "Effect [95 % interval] that decides": Markup("{}<br><span class='soft small'>{}</span>").format(
                        sentences.interval(part) + sentences.unit_name(part.unit).en, both(shown.en, shown.ja)
                    )
                    if part
                    else "–",
                    "n": str(part.n) if part else "–",
                }
            )
    return str(
        itables.to_html_datatable(
            pd.DataFrame(rows),
            connected=False,
            allow_html=True,
            showIndex=False,
            paging=False,
            maxBytes=0,
            order=[],
            classes="display compact",
            table_id="verdicts",
            column_filters="header",
            display_logo_when_loading=False,
            style="table-layout:auto;width:100%;caption-side:bottom",
            columnDefs=[{"width": width, "targets": i} for i, width in enumerate(COLUMN_WIDTHS)],
            autoWidth=False,
            layout={"topStart": "search", "topEnd": "info", "bottomStart": None, "bottomEnd": None},
        )
    )


def both(en: str, ja: str) -> Markup:
    """A text in both languages, of which the page shows one."""
    return Markup('<span class="en">{}</span><span class="ja" lang="ja">{}</span>').format(en, ja)


def _render(
    sections: list[Section],
    verdicts: pd.DataFrame,
    methods: pd.DataFrame,
    choice: Chapter | None,
    scale: str,
    store: Store,
) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("normlab.report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    table = store.runs()
    made_on = [json.loads(text) for text in table["environment"].dropna().unique()] if "environment" in table else []
    machines = sorted({" · ".join(filter(None, (e["cpu"], e.get("gpu"), f"torch {e['torch']}"))) for e in made_on})
    counts = Counter(result.verdict.word for section in sections if not section.old for result in section.claims)
    return environment.get_template("report.html").render(
        sections=sections,
        scale=scale,
        sentences=sentences,
        both=both,
        colours=VERDICT_COLOURS,
        old_colour=OLD,
        machines=machines,
        methods=methods,
        choice=choice,
        method_title=method_title,
        data_titles=DATA_TITLES,
        bench=(store.root.parent / "bench" / "index.html").exists(),
        runs=len(store),
        counts=dict(counts.most_common()),
        marks=MARKS,
        dates=sorted(table["date"].dropna().astype(str)) if "date" in table else [],
        table_library=Markup(itables.javascript.generate_init_offline_itables_html(itables.options.dt_bundle)),
        verdict_view=Markup(_verdict_view(sections)),
        Markup=Markup,
    )
