"""Expression merging module: the target asks, the original answers.

Norface merges the patch embeddings of both faces by attention (paper: "Expression Merging Module"; block and head
counts are not public). Queries start from the target, so identity, head pose and background are what comes out by
default, and expression is the only thing that the losses have to push in.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from norface.specs import Described


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017) by PyTorch's fused kernel."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Queries from `x` ``(B, N, dim)``, keys and values from `context` ``(B, M, dim)``; returns ``(B, N, dim)``."""
        q = self.query(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, heads, N, dim / heads)
        k, v = self.key_value(context).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        merged: Tensor = self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return merged


class MergingBlock(nn.Module):
    """Cross-attention to the original, self-attention, MLP; pre-norm and residual."""

    def __init__(self, dim: int, heads: int, mlp_ratio: float) -> None:
        super().__init__()
        hidden = int(dim * mlp_ratio)
        self.norm_cross, self.norm_context = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.norm_self, self.norm_mlp = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.cross = Attention(dim, heads)
        self.self_attention = Attention(dim, heads)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """Target tokens `x` ``(B, N, dim)`` and original tokens `context` ``(B, M, dim)`` to ``(B, N, dim)``."""
        x = x + self.cross(self.norm_cross(x), self.norm_context(context))
        normed = self.norm_self(x)
        x = x + self.self_attention(normed, normed)
        out: Tensor = x + self.mlp(self.norm_mlp(x))
        return out


class ExpressionMerging(nn.Module, Described):
    """Stack of merging blocks over the patch embeddings of target and original.

    Args:
        dim: Embedding size; equal to the encoder's.
        grid: Patches per side.
        blocks: Number of merging blocks.
        heads: Attention heads.
        mlp_ratio: Hidden size of each MLP relative to `dim`.
    """

    def __init__(
        self, *, dim: int = 128, grid: int = 8, blocks: int = 2, heads: int = 4, mlp_ratio: float = 2.0
    ) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.randn(1, grid * grid, dim) * 0.02)
        self.blocks = nn.ModuleList(MergingBlock(dim, heads, mlp_ratio) for _ in range(blocks))
        self.dim, self.grid = dim, grid

    def forward(self, target: Tensor, original: Tensor) -> Tensor:
        """Embeddings ``(B, dim, grid, grid)`` of both faces to merged embeddings of the same shape."""
        x = target.flatten(2).transpose(1, 2) + self.position  # (B, grid^2, dim)
        context = original.flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            x = block(x, context)
        merged: Tensor = x.transpose(1, 2).unflatten(2, (self.grid, self.grid))
        return merged
