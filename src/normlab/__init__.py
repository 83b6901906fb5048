"""normlab: normalization methods for neural nets on trial."""
