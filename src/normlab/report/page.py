"""The report's page: every verdict with its figure, in English and Japanese, in one file."""

import json
from collections import Counter
from pathlib import Path

import itables
import itables.javascript
import itables.options
import jinja2
import pandas as pd
from markupsafe import Markup, escape

from normlab.core.record import write_atomically
from normlab.norms import METHODS
from normlab.report import sentences
from normlab.report.build import Report
from normlab.report.overview import MARKS
from normlab.report.sections import Section
from normlab.report.style import DATA_TITLES, OLD, VERDICT_COLOURS, method_title
from normlab.report.svg import inlined
from normlab.runs.store import Store

COLUMN_WIDTHS = ("13%", "34%", "13%", "11%", "25%", "4%")  # of the verdict table


def write_page(report: Report, scale: str, store: Store) -> Path:
    """Write ``report/all.html`` below the store; its path."""
    page = store.root / "report" / "all.html"
    write_atomically(page, _render(report, scale, store).encode())
    return page


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


def _render(report: Report, scale: str, store: Store) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("normlab.report"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    sections = report.sections
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
        methods=report.methods,
        choices=report.choices,
        drawn=lambda name: Markup(inlined(store.root / "figures", name)),
        method_title=method_title,
        METHODS=METHODS,
        data_titles=DATA_TITLES,
        bench=(store.root.parent / "bench" / "index.html").exists(),
        runs=len(store),
        counts=dict(counts.most_common()),
        marks=MARKS,
        dates=sorted(table["date"].dropna().astype(str)) if "date" in table else [],
        table_library=Markup(itables.javascript.generate_init_offline_itables_html(itables.options.dt_bundle)),
        verdict_view=Markup(_verdict_view(sections)),
    )
