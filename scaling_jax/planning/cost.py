r"""What a run costs: terms that add up, each a function of the law's inputs, with a unit.

Costs are for `sj.plan(cost=)` and, since a limit is a cost that must not be exceeded, for its `limits=`. They
add when their units agree, and scale by numbers.

>>> import scaling_jax as sj
>>> whole = sj.cost.training() + sj.cost.serving(tokens=2e12)
>>> whole
<cost 6 N D + 2 N 2e+12, FLOP>
>>> f"{whole(N=7e9, D=1.4e11):.3e}"
'3.388e+22'
>>> sj.cost.training() + sj.cost.data(price=1e-9)
Traceback (most recent call last):
    ...
ValueError: A cost in FLOP and one in $ do not add up: ...
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias, cast

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from scaling_jax.core.arrays import Array, Named
from scaling_jax.core.checked import checked, real_number, real_numbers, shown
from scaling_jax.tables.scale import TOKENS_FLOP

__all__ = [
    "Cost",
    "Formula",
    "attention",
    "data",
    "days",
    "finetuning",
    "formula",
    "gpu_hours",
    "memory",
    "moe",
    "money",
    "of",
    "precision",
    "serving",
    "training",
]

SERVED_FLOP = 2.0  # per parameter and token, forward alone
ATTENTION_FLOP = 12.0  # per layer, unit of width, token of context and training token
FULL_BITS = 16.0
SECONDS_PER_HOUR, HOURS_PER_DAY = 3600.0, 24.0
FLOP = "FLOP"
BLOCK = 12.0  # parameters of a block over its width squared

Amount: TypeAlias = float | str | Callable[..., ArrayLike]
"""A number, a formula of inputs such as "D" or "N / 8", or a function of inputs in jax.numpy."""
OPERATORS: dict[type[ast.operator], Callable[[Array, Array], Array]] = {
    ast.Add: jnp.add,
    ast.Sub: jnp.subtract,
    ast.Mult: jnp.multiply,
    ast.Div: jnp.divide,
    ast.Pow: jnp.power,
}
FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "log": jnp.log,
    "exp": jnp.exp,
    "sqrt": jnp.sqrt,
    "log2": jnp.log2,
}


@dataclass(frozen=True)
class Formula:
    """A function of named inputs.

    Args:
        needs: the inputs.
        value: takes them by name and returns the value.
        words: how it is printed.
    """

    needs: tuple[str, ...]
    value: Callable[[Named], Array]
    words: str


@dataclass(frozen=True)
class Factor:
    """A number, which programs take as data, or a formula."""

    number: float | None
    formula: Formula | None

    @property
    def words(self) -> str:
        return f"{self.number:g}" if self.formula is None else self.formula.words


@checked
@dataclass(frozen=True)
class Cost:
    """A sum of products of numbers and formulas of inputs; made by the functions of `sj.cost`.

    Args:
        terms: the factors of each term.
        unit: of the sum.
    """

    terms: tuple[tuple[Factor, ...], ...]
    unit: str = FLOP

    @property
    def needs(self) -> tuple[str, ...]:
        """The inputs it is a function of."""
        formulas = [f.formula for term in self.terms for f in term if f.formula is not None]
        return tuple(dict.fromkeys(name for one in formulas for name in one.needs))

    @property
    def numbers(self) -> np.ndarray:
        """The numbers in it, which may change without a program being compiled again."""
        return np.array([f.number for term in self.terms for f in term if f.number is not None])

    @property
    def form(self) -> Cost:
        """The same cost with its numbers left open: what a program is compiled for."""
        blank = tuple(tuple(Factor(0.0, None) if f.formula is None else f for f in t) for t in self.terms)
        return Cost(blank, "")

    def value(self, inputs: Named, numbers: Array) -> Array:
        """The cost of a run with other numbers in it, traceable by JAX.

        Args:
            inputs: the law's inputs by name.
            numbers: in place of `numbers`, in their order.

        Raises:
            TypeError: for what is missing, or no number.
        """
        try:
            given = {name: jnp.asarray(real_numbers(inputs[name])) for name in self.needs}
            numbers = jnp.asarray(real_numbers(numbers))
        except Exception:  # of any type, for what is no number
            raise TypeError(f"The cost {self.words} needs numbers for {', '.join(self.needs)}.") from None
        if numbers.shape != self.numbers.shape:
            raise TypeError(f"The cost {self.words} has {len(self.numbers)} numbers of its own.")
        total, at = jnp.zeros(()), 0
        for term in self.terms:
            product = jnp.ones(())
            for factor in term:
                if factor.formula is None:
                    product, at = product * numbers[at], at + 1
                else:
                    product = product * factor.formula.value(given)
            total = total + product
        return total

    def __call__(self, **inputs: ArrayLike) -> np.ndarray:
        """The cost of runs, in float64; inputs broadcast."""
        if missing := [name for name in self.needs if name not in inputs]:
            raise TypeError(f"The cost {self.words} needs {', '.join(missing)}.")
        with jax.enable_x64(True):
            given = {name: jnp.asarray(np.asarray(v, dtype=np.float64)) for name, v in inputs.items()}
            return np.asarray(self.value(given, jnp.asarray(self.numbers)))

    @property
    def words(self) -> str:
        """The formula, printed."""
        return " + ".join(" ".join(f.words for f in term if f.words != "1") for term in self.terms)

    def __add__(self, other: object) -> Cost:
        if other == 0:
            return self  # of sum()
        if not isinstance(other, Cost):
            return NotImplemented
        if other.unit != self.unit:
            raise ValueError(
                f"A cost in {self.unit} and one in {other.unit} do not add up: bring both to one unit, with "
                "sj.cost.money or sj.cost.gpu_hours and of=."
            )
        return Cost(self.terms + other.terms, self.unit)

    __radd__ = __add__

    def __mul__(self, factor: float) -> Cost:
        return self.times(factor)

    __rmul__ = __mul__

    @checked
    def times(self, *amounts: Amount, unit: str | None = None) -> Cost:
        """The cost times numbers or formulas, in another unit where one is given."""
        factors = tuple(_factor(amount, "a factor of a cost") for amount in amounts)
        return Cost(tuple(factors + term for term in self.terms), self.unit if unit is None else unit)

    def __repr__(self) -> str:
        return f"<cost {self.words}, {self.unit or 'no unit'}>"


@checked
def training(flop: float = TOKENS_FLOP, *, N: Amount = "N", D: Amount = "D") -> Cost:
    """FLOP of training N parameters on D tokens, `flop` N D.

    Args:
        flop: per parameter and token: 6, or 8 where activations are computed twice.
        N, D: parameters and tokens, where the law's inputs have other names or counts.

    >>> training(), training()(N=1e9, D=2e10).item()
    (<cost 6 N D, FLOP>, 1.2e+20)
    """
    return _product(FLOP, flop=flop, N=N, D=D)


@checked
def serving(tokens: Amount, flop: float = SERVED_FLOP, *, N: Amount = "N") -> Cost:
    """FLOP of serving `tokens` tokens, `flop` N tokens (Sardana et al. 2024, arXiv:2401.00448).

    >>> serving(tokens=1e12)(N=1e9).item()
    2e+21
    """
    return _product(FLOP, flop=flop, N=N, tokens=tokens)


@checked
def finetuning(tokens: Amount, flop: float = TOKENS_FLOP, *, N: Amount = "N") -> Cost:
    """FLOP of fine-tuning on `tokens` tokens after training, `flop` N tokens.

    >>> training() + finetuning(tokens=1e9)
    <cost 6 N D + 6 N 1e+09, FLOP>
    """
    return _product(FLOP, flop=flop, N=N, tokens=tokens)


@checked
def moe(active: Amount, flop: float = TOKENS_FLOP, *, D: Amount = "D") -> Cost:
    """FLOP of training a model of experts, `flop` active D.

    Args:
        active: parameters that one token passes through: a share of N, the name of an input, a formula such
            as "N / 8", or a function of inputs.
        flop: per active parameter and token.
        D: tokens.

    >>> moe("N / 8")(N=8e9, D=2e10).item()
    1.2e+20
    """
    if isinstance(active, int | float):
        return _product(FLOP, flop=flop, active=active, N="N", D=D)
    return _product(FLOP, flop=flop, active=active, D=D)


@checked
def precision(bits: Amount, flop: float = TOKENS_FLOP, *, N: Amount = "N", D: Amount = "D") -> Cost:
    """FLOP of training at `bits` bits, counted at 16: `flop` N D bits / 16 (Kumar et al. 2024,
    arXiv:2411.04330).

    >>> precision(bits=8)(N=1e9, D=2e10).item()
    6e+19
    """
    return _product(FLOP, flop=flop / FULL_BITS, N=N, D=D, bits=bits)


@checked
def attention(
    context: Amount,
    *,
    depth: Amount | None = None,
    width: Amount | None = None,
    aspect: float = 128.0,
    D: Amount = "D",
) -> Cost:
    """FLOP of attention scores in training, 12 depth width context D, which 6 N D leaves out.

    Args:
        context: tokens attended over.
        depth, width: layers and their width, as numbers or inputs of the law. Without them they follow from N
            = 12 depth width^2 and `aspect`.
        aspect: width over depth.
        D: training tokens.

    >>> attention(4096, depth=24, width=2048)
    <cost 12 24 2048 4096 D, FLOP>
    """
    if depth is None or width is None:
        side = f"(N / ({BLOCK} * {aspect!r} ** 2)) ** (1 / 3)"
        depth, width = side if depth is None else depth, f"{aspect!r} * {side}" if width is None else width
    return _product(FLOP, flop=ATTENTION_FLOP, depth=depth, width=width, context=context, D=D)


@checked
def gpu_hours(peak: float, mfu: Amount = 0.4, *, of: Cost | None = None) -> Cost:
    """Hours of one device, FLOP / (peak mfu 3600).

    Args:
        peak: FLOP per second of a device.
        mfu: share of the peak that is used: a number, or a formula or function of inputs, since small models
            use less.
        of: the FLOP; of training without it.

    >>> gpu_hours(peak=989e12)(N=7e9, D=2e12).round().item()
    58982.0
    """
    rate = _positive(peak, "peak") * SECONDS_PER_HOUR
    return _in_flop(of).times(1 / rate, _inverse(mfu), unit="GPU-hours")


@checked
def days(devices: float, peak: float, mfu: Amount = 0.4, *, of: Cost | None = None) -> Cost:
    """Days on `devices` devices at once; the rest as in `gpu_hours`.

    >>> days(64, peak=989e12)(N=7e9, D=2e12).round(1).item()
    38.4
    """
    hours = _positive(devices, "devices") * HOURS_PER_DAY
    return gpu_hours(peak, mfu, of=of).times(1 / hours, unit="days")


@checked
def money(price: float, peak: float, mfu: Amount = 0.4, *, of: Cost | None = None, unit: str = "$") -> Cost:
    """What device-hours cost at `price` an hour; the rest as in `gpu_hours`.

    >>> money(2.0, peak=989e12)(N=7e9, D=2e12).round(-3).item()
    118000.0
    """
    return gpu_hours(peak, mfu, of=of).times(price, unit=unit)


@checked
def data(price: float, *, D: Amount = "D", unit: str = "$") -> Cost:
    """What the training tokens cost at `price` a token: collecting, licences, labels.

    >>> data(1e-6)(D=2e12).item()
    2000000.0
    """
    return _product(unit, price=price, D=D)


@checked
def memory(bytes: float = 2.0, *, N: Amount = "N", cache: Amount = 0.0) -> Cost:
    """Bytes that serving needs, `bytes` per parameter and a cache; for `limits=`.

    Args:
        bytes: per parameter: 2 at 16 bits.
        N: parameters that are held.
        cache: bytes besides the parameters: batch context 2 layers heads width bytes.

    >>> memory(bytes=2)(N=7e9).item()
    14000000000.0
    """
    held = _product("bytes", bytes=bytes, N=N)
    return held if cache == 0 else held + _product("bytes", cache=cache)


@checked
def of(what: str | Callable[..., ArrayLike], unit: str = "") -> Cost:
    """A cost of your own: a function of inputs, by their names, in jax.numpy, or a formula.

    >>> import scaling_jax as sj
    >>> sj.cost.of(lambda N, D: 6 * N * D + 2e20)(N=1e9, D=2e10).item()
    3.2e+20
    >>> sj.cost.of("6 * (N + 1e8) * D")
    <cost 6 * (N + 1e8) * D, no unit>
    """
    return _product(unit, what=what)


def _product(unit: str, **amounts: Amount) -> Cost:
    return Cost((tuple(_factor(amount, name) for name, amount in amounts.items()),), unit)


def _in_flop(cost: Cost | None) -> Cost:
    found = training() if cost is None else cost
    if found.unit != FLOP:
        raise ValueError(f"of={shown(cost)}: hours are made of FLOP, and this cost is in {found.unit}.")
    return found


def _positive(value: float, name: str) -> float:
    if not 0 < value < np.inf or not np.isfinite(1 / value):
        raise ValueError(f"{name}={shown(value)}: give a positive, finite number.")
    return value


def _inverse(share: Amount) -> Amount:
    if isinstance(share, int | float):
        if not 0 < share <= 1:
            raise ValueError(f"mfu={shown(share)}: give the share of the peak that is used, between 0 and 1.")
        return 1 / share
    return _one_over(formula(share))


@lru_cache(maxsize=256)
def _one_over(share: Formula) -> Callable[..., Array]:
    def inverse(**inputs: Array) -> Array:
        return 1 / share.value(inputs)

    inverse.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # functions may carry one
        [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in share.needs]
    )
    return inverse


def _factor(amount: object, what: str) -> Factor:
    if isinstance(amount, str) or callable(amount):
        return Factor(None, formula(amount))
    try:
        number = float(real_number(amount))
    except Exception:  # of any type, for what is no number
        raise ValueError(
            f"{what}={shown(amount)}: give a number, a formula of inputs, or a function of them."
        ) from None
    if not 0 <= number < np.inf:
        raise ValueError(f"{what}={shown(amount)}: give a finite number, zero or more.")
    return Factor(number, None)


def formula(what: str | Callable[..., ArrayLike]) -> Formula:
    """What a text or a function says of named inputs.

    Raises:
        ValueError: for a text that is no formula, or a function without named arguments.

    >>> formula("D / N").needs
    ('D', 'N')
    """
    if isinstance(what, str):
        return _of_text(what)
    try:
        return _of_function(what)
    except TypeError:  # no function, or one that is nobody's key
        raise ValueError(
            f"{shown(what)}: give a formula of inputs such as 'D / N', or a function of them."
        ) from None


@lru_cache(maxsize=512)
def _of_text(what: str) -> Formula:
    try:
        tree = ast.parse(what.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"{shown(what)} is no formula; write for example 'D / N'.") from None
    names: dict[str, None] = {}
    _check(tree, names, what)
    return Formula(tuple(names), lambda inputs: _computed(tree, inputs), what.strip())


@lru_cache(maxsize=512)
def _of_function(what: Callable[..., ArrayLike]) -> Formula:
    try:
        arguments = tuple(inspect.signature(what).parameters.values())
    except ValueError:  # of what is written in C
        arguments = ()
    if not arguments or any(a.kind in (a.VAR_POSITIONAL, a.VAR_KEYWORD) for a in arguments):
        raise ValueError(
            f"{what!r}: give a function whose arguments are named as inputs, such as lambda N, D: ..."
        )
    names = tuple(a.name for a in arguments)
    words = f"{getattr(what, '__name__', 'f')}({', '.join(names)})".replace("<lambda>", "f")
    return Formula(names, lambda inputs: jnp.asarray(what(**{name: inputs[name] for name in names})), words)


def _check(node: ast.expr, names: dict[str, None], text: str) -> None:
    """Gathers the names in a formula, and refuses what is none."""
    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            return
        case ast.Name():
            names[node.id] = None
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            _check(node.operand, names, text)
        case ast.BinOp() if type(node.op) in OPERATORS:
            _check(node.left, names, text)
            _check(node.right, names, text)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            _check(argument, names, text)
        case _:
            raise ValueError(
                f"{text!r} is no formula: it may hold inputs, numbers, + - * / ** and {', '.join(FUNCTIONS)}."
            )


def _number(node: ast.Constant) -> float:
    return float(cast(float, node.value))  # `_check` let nothing else through


def _computed(node: ast.expr, inputs: Mapping[str, Array]) -> Array:
    match node:
        case ast.Constant():
            return jnp.asarray(_number(node))
        case ast.Name():
            return inputs[node.id]
        case ast.UnaryOp():
            value = _computed(node.operand, inputs)
            return -value if isinstance(node.op, ast.USub) else value
        case ast.BinOp():
            if isinstance(node.op, ast.Pow) and isinstance(node.right, ast.Constant):
                return _computed(node.left, inputs) ** _number(node.right)
            return OPERATORS[type(node.op)](_computed(node.left, inputs), _computed(node.right, inputs))
        case ast.Call(func=ast.Name(id=name)):
            return FUNCTIONS[name](_computed(node.args[0], inputs))
    raise AssertionError(ast.dump(node))
