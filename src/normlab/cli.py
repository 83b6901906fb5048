"""The command ``normlab``. Each command imports what it needs when it is called, so that help comes at once."""

import os
from typing import Annotated, Any

import typer

app = typer.Typer(
    help="Normalization methods for neural nets on trial: real training runs, paired tests, figures and verdicts.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
wandb_app = typer.Typer(help="Weights & Biases.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(wandb_app, name="wandb")
HYDRA: dict[str, Any] = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
Scale = Annotated[str, typer.Option(help="how large: quick, cpu or gpu")]
Results = Annotated[str, typer.Option(help="the folder of results", envvar="NORMLAB_RESULTS")]
Overrides = Annotated[list[str] | None, typer.Argument(help="Hydra overrides, such as norm=group optimizer.lr=0.1")]
Jobs = Annotated[int, typer.Option(help="processes of a sweep; 0 takes a core each")]


def launched(overrides: list[str] | None, jobs: int) -> list[str]:
    """The overrides, with local processes for a launcher where they name none."""
    given = overrides or []
    if any(word.startswith("hydra/launcher=") for word in given):
        return given
    return ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={jobs or os.cpu_count() or 1}", *given]


@app.command(context_settings=HYDRA)
def train(context: typer.Context) -> None:
    """One run, or with -m a sweep, in Hydra's words: normlab train norm=group data=cifar10; --help is Hydra's own."""
    from normlab.commands.train import train as command

    command(context.args)


@app.command()
def sweep(
    experiment: str, overrides: Overrides = None, scale: Scale = "quick", results: Results = "results", jobs: Jobs = 0
) -> None:
    """What is missing of one experiment."""
    from normlab.commands.reproduce import sweep as command

    command(experiment, scale, results, launched(overrides, jobs))


@app.command()
def reproduce(
    overrides: Overrides = None, scale: Scale = "quick", results: Results = "results", jobs: Jobs = 0
) -> None:
    """Every experiment at a scale, then the report: the verdicts on this machine."""
    from normlab.commands.reproduce import reproduce as command

    command(scale, results, launched(overrides, jobs))


@app.command()
def claims(words: Annotated[list[str] | None, typer.Argument(help="words that a claim must have")] = None) -> None:
    """The claims and what they say: normlab claims batch size."""
    from normlab.commands.claims import claims as command

    command(words or ())


@app.command()
def claim(
    claim_id: Annotated[str, typer.Argument(metavar="ID")],
    overrides: Overrides = None,
    scale: Scale = "quick",
    results: Results = "results",
    jobs: Jobs = 0,
) -> None:
    """Run what one claim lacks, and show its verdict and figure."""
    from normlab.commands.claim import claim as command

    command(claim_id, scale, results, launched(overrides, jobs))


@app.command()
def trial(
    norm: Annotated[
        str, typer.Argument(help="my_pkg.MyNorm, my_pkg:make_norm, ./my_norm.py:MyNorm, or a method's name")
    ],
    options: Annotated[list[str] | None, typer.Argument(help="its options, such as norm.num_groups=4")] = None,
    minutes: Annotated[float | None, typer.Option(help="how long; 3 at quick and 30 at cpu by default")] = None,
    scale: Scale = "quick",
    results: Results = "results",
    jobs: Jobs = 0,
    open_page: Annotated[bool, typer.Option("--open", help="open the report card in a browser")] = False,
) -> None:
    """A norm of your own beside the others: is it right, how good, how easy, how robust, what does it cost."""
    from normlab.commands.trial import trial as command

    command(norm, options or (), minutes, scale, results, jobs, open_page)


@app.command()
def choose(
    overrides: Overrides = None,
    data: Annotated[str, typer.Option(help="a data set, or a folder or .npz of your own images")] = "cifar10",
    net: Annotated[str, typer.Option(help="cnn, resnet, … or a net of your own: ./my_nets.py:MyNet")] = "resnet",
    batch: Annotated[int, typer.Option(help="images a batch")] = 128,
    epochs: Annotated[float, typer.Option(help="epochs of every training")] = 8.0,
    norms: Annotated[str | None, typer.Option(help="which ones, with commas; ten usual ones by default")] = None,
    minutes: Annotated[float, typer.Option(help="how long; further minutes go on")] = 20.0,
    results: Results = "results",
    jobs: Jobs = 0,
    open_page: Annotated[bool, typer.Option("--open", help="open the answer in a browser")] = False,
) -> None:
    """Which normalization for my data, my net, my batch size: normlab choose --data ./flowers --batch 16."""
    from normlab.commands.choose import choose as command

    command(data, net, batch, epochs, norms, overrides or (), minutes, results, jobs, open_page)


@app.command()
def compare(first: str, second: str, scale: Scale = "quick", results: Results = "results") -> None:
    """Two norms from the runs that are there: normlab compare batch my_pkg.MyNorm."""
    from normlab.commands.compare import compare as command

    command([first, second], scale, results)


@app.command()
def report(
    scale: Scale = "quick",
    results: Results = "results",
    open_page: Annotated[bool, typer.Option("--open", help="open the page in a browser")] = False,
    pack: Annotated[str, typer.Option(help="an archive to write the pages to, for any static host")] = "",
) -> None:
    """Verdicts, tables, figures and the page from the runs that are there."""
    from normlab.commands.report import report as command

    command(scale, results, open_page, pack)


@app.command()
def status(scale: Scale = "quick", results: Results = "results") -> None:
    """Done, failed, running and left of every experiment, with the time left."""
    from normlab.commands.status import status as command

    command(scale, results)


@app.command()
def data(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="data sets, by default all but large ones; or a folder or .npz of your own"),
    ] = None,
    name: Annotated[str | None, typer.Option(help="what images of your own are to be called")] = None,
    side: Annotated[int | None, typer.Option(help="their side in pixels; 32 for files, for arrays their own")] = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="say why sources were passed over")] = False,
) -> None:
    """Fetch and verify the data sets (or those named); or take in images of your own: normlab data ./flowers."""
    from normlab.commands.data import data as command

    command(names or (), name, side, verbose)


@app.command()
def bench(
    sections: Annotated[list[str] | None, typer.Argument(help="sections; all by default")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda, which measures the GPU's section")] = "cpu",
    results: Results = "results",
) -> None:
    """How fast, against floor, peers and bars; needs the extra bench."""
    from normlab.commands.bench import bench as command

    command(sections or (), device, results)


@wandb_app.command()
def publish(
    scale: Scale = "quick",
    results: Results = "results",
    project: Annotated[str, typer.Option(help="the project of W&B")] = "normlab",
    entity: Annotated[str | None, typer.Option(help="its entity, if not the key's own")] = None,
    experiments: Annotated[str | None, typer.Option(help="which ones, with commas; all by default")] = None,
    rate: Annotated[float, typer.Option(help="runs a minute that the service is sent at most")] = 60.0,
) -> None:
    """A store's reported runs, verdicts and figures into a W&B project, or into files without a key; goes on where it stopped."""
    from normlab.commands.wandb import wandb_publish

    wandb_publish(scale, results, project, entity, experiments, rate)


@app.command()
def dashboard(scale: Scale = "quick", results: Results = "results") -> None:
    """Build the W&B workspace and report as code; pushed when a key is there."""
    from normlab.commands.dashboard import dashboard as command

    command(scale, results)


def main() -> None:
    """The command line; errors are one line."""
    from normlab.errors import run_main

    run_main(_call)


def _call() -> None:
    from normlab.errors import NormlabError, arguments

    try:
        app(arguments() or ["--help"], prog_name="normlab", standalone_mode=False)
    except Exception as error:
        said = getattr(error, "format_message", None)  # of a command line that cannot be read
        if said is None:
            raise
        raise NormlabError(f"{said()} (normlab --help lists the commands)") from None
