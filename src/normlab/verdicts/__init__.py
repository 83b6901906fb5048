"""Verdicts: claims as data, contrasts on tables, statistics, and the protocol that turns them into words."""
