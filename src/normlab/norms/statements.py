"""Exact statements about the methods, each computed: a function a statement, used by claims and tests alike."""

import torch


def constant_features(eps: float) -> dict[str, float]:
    """Batch norm of features that are constant over the batch, where the variance is exactly zero.

    y = (x − μ)/√(0 + ε): 0 for ε > 0, and 0/0 for ε = 0. Written out, since PyTorch refuses ε = 0. Returns the share of
    finite outputs and the largest of them.
    """
    x = torch.full((8, 4, 3, 3), 2.0)
    mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    y = (x - mean) / torch.sqrt(variance + eps)
    finite = torch.isfinite(y)
    return {
        "share_finite": finite.double().mean().item(),
        "largest": y[finite].abs().max().item() if finite.any() else float("nan"),
    }
