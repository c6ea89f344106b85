"""The model: a decoder-only byte transformer, small but proper.

Pre-norm RMSNorm, rotary positions, causal attention, a GELU MLP of four times the width, and one embedding
used at both
ends: with 256 bytes and widths from 8 an untied pair would outweigh all the rest. Parameters are a flat
dictionary of arrays stacked over layers, so that the optimiser sees eight leaves whatever the depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

VOCAB = 256
CONTEXT = 64

Params = dict[str, Array]


@dataclass(frozen=True)
class Size:
    width: int
    depth: int
    heads: int

    @property
    def n_params_nonemb(self) -> int:
        # q, k, v, o: 4 d^2; MLP: 8 d^2; two gains of d per layer and a final one.
        return self.depth * (12 * self.width**2 + 2 * self.width) + self.width

    @property
    def n_params(self) -> int:
        return self.n_params_nonemb + VOCAB * self.width

    @property
    def flops_per_token(self) -> int:
        """Every matrix product of a training step, per token, both ways; attention is not halved."""
        matrices = self.depth * 12 * self.width**2 + VOCAB * self.width
        attention = self.depth * 2 * CONTEXT * self.width
        return 6 * (matrices + attention)


def init(size: Size, key: Array) -> Params:
    d, n = size.width, size.depth
    keys = iter(jax.random.split(key, 5))

    def normal(shape: tuple[int, ...], fan_in: int, gain: float = 1.0) -> Array:
        return gain * fan_in**-0.5 * jax.random.normal(next(keys), shape, jnp.float32)

    residual = (2 * n) ** -0.5  # the sum of 2n branches then has the variance of one
    return {
        "embed": normal((VOCAB, d), d),
        "qkv": normal((n, d, 3 * d), d),
        "out": normal((n, d, d), d, residual),
        "up": normal((n, d, 4 * d), d),
        "down": normal((n, 4 * d, d), 4 * d, residual),
        "norm_attention": jnp.ones((n, d)),
        "norm_mlp": jnp.ones((n, d)),
        "norm_final": jnp.ones((d,)),
    }


def _norm(x: Array, gain: Array) -> Array:
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6) * gain


def _rotate(x: Array) -> Array:
    """Rotary positions on (..., time, heads, features)."""
    t, _, d = x.shape[-3:]
    # numpy, so that the tables are constants of the compiled program
    angle = np.arange(t)[:, None, None] * 100.0 ** (-np.arange(d // 2) / (d // 2))
    cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    a, b = jnp.split(x, 2, -1)
    return jnp.concatenate([a * cos - b * sin, a * sin + b * cos], -1)


def logits(params: Params, tokens: Array, size: Size) -> Array:
    """(batch, time) bytes to (batch, time, VOCAB) logits."""
    b, t = tokens.shape
    d, h = size.width, size.heads
    causal = np.where(np.tril(np.ones((t, t), bool)), 0.0, -1e9).astype(np.float32)
    x = params["embed"][tokens] * d**0.5  # unit variance into the residual stream
    for i in range(size.depth):
        y = _norm(x, params["norm_attention"][i])
        q, k, v = jnp.split((y @ params["qkv"][i]).reshape(b, t, 3 * h, d // h), 3, -2)
        scores = jnp.einsum("bqhc,bkhc->bhqk", _rotate(q), _rotate(k)) * (d // h) ** -0.5 + causal
        y = jnp.einsum("bhqk,bkhc->bqhc", jax.nn.softmax(scores), v).reshape(b, t, d)
        x = x + y @ params["out"][i]
        y = _norm(x, params["norm_mlp"][i])
        x = x + jax.nn.gelu(y @ params["up"][i]) @ params["down"][i]
    return _norm(x, params["norm_final"]) @ params["embed"].T


def sequence_losses(params: Params, sequences: Array, size: Size) -> Array:
    """Mean nats per byte of each of (batch, CONTEXT + 1) byte sequences."""
    tokens = sequences.astype(jnp.int32)
    z = logits(params, tokens[:, :-1], size)
    picked = jnp.take_along_axis(z, tokens[:, 1:, None], -1)[..., 0]
    return jnp.mean(jax.nn.logsumexp(z, -1) - picked, -1)
