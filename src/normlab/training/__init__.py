"""Training: one loop, and what is measured during and after it."""
