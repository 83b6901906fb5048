"""Sweeps: from an experiment's file to the runs that are missing, and the running of them."""
