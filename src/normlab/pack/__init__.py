"""Work on a machine without a network: folders that travel there, a sweep within a budget, and results that come back."""
