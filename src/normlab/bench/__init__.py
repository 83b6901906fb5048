"""How fast the suite is: sections of ratios, each measured side by side and in turns, on real data."""
