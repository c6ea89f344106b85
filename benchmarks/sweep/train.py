"""Training: one compiled program per size, and a run that can stop at any checkpoint and go on as if it had
not.

The program takes the number of updates as data, so every stretch of a run and every branch of it shares one
compilation. Randomness is a function of (seed, position), never of history.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .corpus import Text
from .design import BATCH, TOKENS_PER_STEP, End, Run
from .model import CONTEXT, Params, Size, init, sequence_losses

CHUNK = 128  # updates per call; bounds memory, and how long an interrupt waits

OPTIMISER = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(b1=0.9, b2=0.95))


@dataclass(frozen=True)
class State:
    params: Params
    optimiser: optax.OptState
    step: int

    def save(self, path: Path) -> None:
        leaves = jax.tree.leaves((self.params, self.optimiser))
        part = path.with_suffix(".part")
        with part.open("wb") as file:  # a file, since savez would append a suffix to a path
            np.savez(file, *leaves, step=self.step)
        part.rename(path)  # whole or absent, wherever we are stopped

    @staticmethod
    def load(path: Path, like: State) -> State:
        with np.load(path) as kept:
            leaves = [jnp.asarray(kept[f"arr_{i}"]) for i in range(len(kept.files) - 1)]
            step = int(kept["step"])
        return State(*jax.tree.unflatten(jax.tree.structure((like.params, like.optimiser)), leaves), step)


@lru_cache
def programs(size: Size) -> tuple[Callable, Callable]:
    def loss(params: Params, batch: jax.Array) -> jax.Array:
        return jnp.mean(sequence_losses(params, batch, size))

    @jax.jit
    def advance(params, optimiser, batches, rates, n):
        def update(i, carry):
            params, optimiser = carry
            direction, optimiser = OPTIMISER.update(jax.grad(loss)(params, batches[i]), optimiser, params)
            return jax.tree.map(lambda p, u: p - rates[i] * u, params, direction), optimiser

        return jax.lax.fori_loop(0, n, update, (params, optimiser))

    @jax.jit
    def evaluate(params, sequences):
        losses = jax.lax.map(
            lambda s: sequence_losses(params, s, size), sequences.reshape(-1, 64, sequences.shape[-1])
        )
        return losses.ravel()

    return advance, evaluate


def order(run: Run, text: Text, first: int, last: int) -> np.ndarray:
    """The sequences that updates first..last-1 see: a fresh shuffle of the run's data in every epoch."""
    pool = _shuffle(run.seed, 0, text.n_sequences)
    if run.unique_steps:
        pool = pool[: run.unique_steps * BATCH]
    position = np.arange(first * BATCH, last * BATCH)
    if not run.unique_steps and position[-1] >= len(pool):
        raise ValueError(f"{run.name}: {len(pool)} sequences do not last for {last} updates")
    epoch, within = np.divmod(position, len(pool))
    seen = np.concatenate(
        [pool[_shuffle(run.seed, e, len(pool))[within[epoch == e]]] for e in np.unique(epoch)]
    )
    return seen.reshape(-1, BATCH)


@lru_cache(maxsize=8)
def _shuffle(seed: int, epoch: int, n: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch, n]).permutation(n)


def start(run: Run, work: Path) -> State:
    params = init(run.size, jax.random.key(run.seed))
    fresh = State(params, OPTIMISER.init(params), 0)
    if run.parent is None:
        return fresh
    return State(State.load(work / run.parent, fresh).params, fresh.optimiser, 0)


def train(state: State, run: Run, text: Text, to: int, end: End) -> State:
    advance, _ = programs(run.size)
    params, optimiser = state.params, state.optimiser
    for first in range(state.step, to, CHUNK):
        n = min(CHUNK, to - first)
        batches = np.zeros((CHUNK, BATCH, CONTEXT + 1), np.uint8)
        batches[:n] = text.sequences(order(run, text, first, first + n))
        rates = run.rate(np.arange(first, first + CHUNK), end).astype(np.float32)
        params, optimiser = jax.block_until_ready(advance(params, optimiser, batches, rates, n))
    return State(params, optimiser, to)


def execute(run: Run, text: Text, work: Path) -> Iterator[dict]:
    """The rows of a run, from where its saved state left it; each is yielded as it is measured."""
    _, evaluate = programs(run.size)
    held_out = text.held_out()
    path = work / f"{run.name}.npz"
    state = start(run, work)
    if path.exists():
        state = State.load(path, state)

    def row(state: State, end: End | None, spent: float) -> dict:
        losses = np.asarray(evaluate(state.params, held_out), float)
        return _row(run, state.step, end, losses) | {"cpu_seconds": round(time.process_time() - spent, 3)}

    checkpoints = set(run.checkpoints())
    forks = {run.fork(e): e for e in run.ends}
    for stop in sorted(s for s in checkpoints | set(forks) if s > state.step):
        clock = time.process_time()
        state = train(state, run, text, stop, run.ends[-1])
        # A cosine's last step is its end; a constant trunk forks and decays.
        if stop in checkpoints and not (run.schedule == "cosine" and stop in forks):
            yield row(state, None, clock)
            clock = time.process_time()
        if stop in forks:
            end = forks[stop]
            done = train(state, run, text, end.step, end)
            if run.keep:
                done.save(work / f"{run.name}-end{end.step}.npz")
            yield row(done, end, clock)
        state.save(path)


def _row(run: Run, step: int, end: End | None, losses: np.ndarray) -> dict:
    tokens = step * TOKENS_PER_STEP
    decayed = end is not None
    return {
        "run": run.name,
        "arm": run.arm,
        "n_params": run.size.n_params,
        "n_params_nonemb": run.size.n_params_nonemb,
        "tokens": tokens,
        "unique_tokens": min(tokens, run.unique_steps * TOKENS_PER_STEP) if run.unique_steps else tokens,
        "flops": 6 * run.size.n_params * tokens,
        "flops_exact": run.size.flops_per_token * tokens,
        "loss": round(float(losses.mean()), 6),
        "loss_se": round(float(losses.std(ddof=1) / len(losses) ** 0.5), 6),
        "seed": run.seed,
        "lr": run.lr,
        "batch": TOKENS_PER_STEP,
        "budget": end.budget if end else None,
        "step": step,
        "final": decayed,
        "schedule": run.schedule,
        "decayed": decayed,
        "pretrain_tokens": run.pretrain_tokens,
        "finetune_tokens": tokens if run.arm == "transfer" else 0,
        "width": run.size.width,
        "depth": run.size.depth,
        "device": jax.devices()[0].platform,
    }


class Log:
    """An append-only file of rows, one JSON object a line; a row measured twice counts as measured last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def append(self, row: dict) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def rows(self) -> list[dict]:
        if not self.path.exists():
            return []
        # A line cut short by a kill is measured again, since the state is saved after the row.
        lines = [line for line in self.path.read_text().splitlines() if line.endswith("}")]
        found = {(r["run"], r["step"], r["final"]): r for r in map(json.loads, lines)}
        return list(found.values())
