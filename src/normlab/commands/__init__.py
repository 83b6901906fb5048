"""What the command line does, one file a command: plain functions that :mod:`normlab.cli` and the scripts call."""
