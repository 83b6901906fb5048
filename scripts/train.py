"""One run, or with -m a sweep: `python scripts/train.py norm=group data=cifar10 optimizer.lr=0.1`."""

from normlab.commands.train import train
from normlab.errors import arguments, run_main

if __name__ == "__main__":
    run_main(lambda: train(arguments()))
