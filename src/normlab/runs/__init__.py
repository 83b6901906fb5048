"""Runs: their keys, their records, the store of all of them, and the numbers read off them."""
