"""A law: the function you would write in a notebook for one run, and what the library reads off it.

The signature is the specification. Positional arguments are inputs (columns of a table), keyword-only
arguments are parameters, annotations give their domains. The function stays an ordinary JAX function.
"""

from __future__ import annotations

import importlib
import inspect
import re
import typing
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache, reduce
from typing import TYPE_CHECKING, Any, overload

import jax
import jax.numpy as jnp
import numpy as np

from scaling_jax.core.arrays import AnyArray, Array, Columns, LossFn, Numbers
from scaling_jax.core.checked import real_numbers, shown
from scaling_jax.core.curves import Curve, Rates
from scaling_jax.core.domains import CURVE, POSITIVE, REAL, Domain, domain_of
from scaling_jax.core.settings import own_settings

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Law", "Parameter", "check_law", "law", "must_be_law"]

SHARES_ADD_UP = 0.01  # to one, within this: printed shares are rounded


@dataclass(frozen=True)
class Parameter:
    """One named parameter: its domain, its shape, () for a scalar, and a prior on its search coordinate."""

    name: str
    domain: Domain = REAL
    shape: tuple[int, ...] = ()
    prior: tuple[str, float, float] | None = None

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=int))

    @property
    def labels(self) -> list[str]:
        """One printed name per number: `alpha`, or `t[0]`, `t[1]` for a vector."""
        if not self.shape:
            return [self.name]
        return [f"{self.name}[{','.join(map(str, i))}]" for i in np.ndindex(*self.shape)]

    def checked(self, value: ArrayLike) -> Numbers:
        """A value for it as float64, of its shape and inside its domain.

        A positive parameter may be zero: a term may be left out, and a fit may have lost it.

        Raises:
            ValueError: otherwise.
        """
        try:
            numbers = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{self.name}={shown(value)} is not a number.") from error
        if numbers.shape != self.shape:
            wanted = f"an array of shape {self.shape}" if self.shape else "one number"
            raise ValueError(f"{self.name}={shown(value)} has shape {numbers.shape}: give {wanted}.")
        if not np.all(
            self.domain.contains(numbers) | (np.isfinite(numbers) & (numbers == self.domain.lower))
        ):
            raise ValueError(
                f"{self.name}={shown(value)} is outside its domain: it must be {self.domain.name}."
            )
        return numbers


class Law:
    """A scaling law: a function of one run, with named inputs and parameters.

    Usually made by the `law` decorator. `law(N, D, E=..., ...)` is for people: it broadcasts over arrays and
    computes in float64. `law.apply(params, inputs)` takes two dicts and is the form for `jit`, `grad` and
    `vmap`.

    Args:
        fn: the function; positional arguments are inputs, keyword-only arguments are parameters.
        params: the parameters, when the signature cannot say (`**kwargs`, vectors, factories).
        inputs: the inputs' names with domains, when the signature cannot say.
        name: printed name; the function's own by default.
        domains: domain per parameter or input, in place of annotations.
        shapes: shape per vector parameter.
        cite: the publication and equation.
        formula: LaTeX of the right-hand side; None takes the first math block of the docstring.
        starts: `starts(inputs, target) -> dict of equally long arrays` in natural units, plain NumPy.
        ranges: per parameter the (low, high) from which default starts are drawn, natural units.
        grid: per parameter the classical grid of the field, natural units; the product is searched.
        priors: per parameter `(family, location, scale)` on the search coordinate.
        target: what the law predicts, with its unit.
        units: unit per input or parameter, for documentation.
        neighbours: laws to try where this one does not describe the rows, by name in `sj.laws` or themselves.
        simplex: inputs that are shares of one whole and add up to one, such as the weights of a mixture.
        recipe: for factories, `(module, function, args)` that rebuilds the law.

    Raises:
        TypeError: if the function has no inputs or no parameters, or takes `*args`.
    """

    of_scatter = 0
    """How many of the last numbers say how rows scatter, and change no prediction."""

    def __init__(
        self,
        fn: LossFn,
        *,
        params: Sequence[Parameter] | None = None,
        inputs: Mapping[str, Domain] | None = None,
        name: str | None = None,
        domains: Mapping[str, object] | None = None,
        shapes: Mapping[str, tuple[int, ...]] | None = None,
        cite: str = "",
        formula: str | None = None,
        starts: Callable[[Columns, Numbers], Columns] | None = None,
        ranges: Mapping[str, tuple[float, float]] | None = None,
        grid: Mapping[str, Sequence[float]] | None = None,
        priors: Mapping[str, tuple[str, float, float]] | None = None,
        target: str = "loss",
        units: Mapping[str, str] | None = None,
        neighbours: Sequence[str | Law] = (),
        simplex: Sequence[str] = (),
        recipe: tuple[str, str, tuple] | None = None,
    ):
        if not _is_function(fn):
            raise TypeError(
                f"A law is made from a function, not from {_kind_of(fn)}: write def "
                "mine(N, *, A: sj.Positive) and call in it what you like."
            )
        self.fn = fn
        self.name = name or fn.__name__
        self.__doc__ = inspect.getdoc(fn)
        self.__name__ = self.name
        self.__module__ = getattr(fn, "__module__", __name__)
        self.__wrapped__ = fn
        self.cite = cite
        self.target = target
        self.units = dict(units or {})
        self.neighbours = tuple(neighbours)
        self.grid = dict(grid or {})
        self.ranges = dict(ranges or {})
        self.starts = starts
        self.simplex = tuple(simplex)
        self.recipe = recipe
        read_inputs, read_params = _read_signature(fn, self.name, domains or {}, shapes or {}, priors or {})
        self.inputs: tuple[str, ...] = tuple(inputs if inputs is not None else read_inputs)
        self.input_domains: dict[str, Domain] = dict(inputs if inputs is not None else read_inputs)
        self.parameters: tuple[Parameter, ...] = tuple(params if params is not None else read_params)
        if not set(self.inputs) - set(self.curves) or not self.parameters:
            raise TypeError(
                f"Law '{self.name}' needs at least one input (positional argument) and one parameter "
                f"(keyword-only argument, after '*'), for example: def {self.name}(N, *, A: Positive, "
                "alpha: Real)."
            )
        self.formula = formula if formula is not None else _formula_of(self.__doc__)
        self._check_names()
        self._check_starts()

    def _check_names(self) -> None:
        known = set(self.params) | set(self.inputs)
        named: tuple[object, ...] = (*self.inputs, *self.params)
        if nameless := [word for word in named if not isinstance(word, str)]:
            raise TypeError(
                f"Law '{self.name}': inputs and parameters are named by words, not by {shown(nameless[0])}."
            )
        words = Counter(named)
        if repeated := [word for word, times in words.items() if times > 1]:
            raise TypeError(
                f"Law '{self.name}' has {', '.join(map(repr, repeated))} more than once among its inputs and "
                "parameters: give each a name of its own."
            )
        if strangers := [name for name in self.simplex if name not in self.inputs]:
            raise TypeError(
                f"Law '{self.name}': simplex names {strangers}, but its inputs are {list(self.inputs)}."
            )
        for what in ("grid", "ranges", "units"):
            if unknown := set(getattr(self, what)) - known - {"target"}:
                raise TypeError(
                    f"Law '{self.name}': {what} names {sorted(unknown)}, but it has {sorted(known)}."
                )

    def _check_starts(self) -> None:
        """Whether what is said of where to begin can be used."""
        if self.starts is not None and not callable(self.starts):
            raise TypeError(
                f"Law '{self.name}': starts is {_kind_of(self.starts)}: give a function of (inputs, target) "
                "that returns arrays by parameter, or use grid= for fixed values."
            )
        for name, limits in self.ranges.items():
            if not _is_range(limits):
                raise TypeError(
                    f"Law '{self.name}': ranges has {shown(limits)} for {name}: give (low, high), two finite "
                    "numbers with low < high."
                )
        for p in self.parameters:
            if p.prior is not None and not _is_prior(p.prior):
                raise TypeError(
                    f"Law '{self.name}': the prior of {p.name} is {shown(p.prior)}: give (family, location, "
                    "scale), a word and two finite numbers, the scale positive."
                )

    def proposals(self, inputs: Columns, target: Numbers) -> Columns:
        """What the law's own `starts` proposes for a table: label -> values, natural units.

        Raises:
            TypeError: if the function fails, or returns anything but arrays of one length by label.
        """
        assert self.starts is not None
        remedy = (
            f"return a mapping of parameters ({', '.join(self.labels)}) to equally long arrays, or leave "
            "starts= out."
        )
        try:
            found: object = self.starts(inputs, target)
        except Exception as error:
            raise TypeError(
                f"The starts of law '{self.name}' failed ({type(error).__name__}: {error}): {remedy}"
            ) from error
        if not isinstance(found, Mapping) or not found:
            raise TypeError(f"The starts of law '{self.name}' gave {_kind_of(found)}: {remedy}")
        if unknown := set(found) - set(self.labels):
            raise TypeError(f"The starts of law '{self.name}' name {sorted(map(str, unknown))}: {remedy}")
        try:
            proposed = {name: np.atleast_1d(np.asarray(v, dtype=np.float64)) for name, v in found.items()}
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"The starts of law '{self.name}' hold something that is not a number: {remedy}"
            ) from error
        if len({values.shape for values in proposed.values() if values.shape != (1,)}) > 1 or any(
            values.ndim != 1 or not values.size for values in proposed.values()
        ):
            shapes = ", ".join(f"{name}: {values.shape}" for name, values in proposed.items())
            raise TypeError(f"The starts of law '{self.name}' differ in length ({shapes}): {remedy}")
        return proposed

    @property
    def params(self) -> tuple[str, ...]:
        """Names of the parameters, in the order of the signature."""
        return tuple(p.name for p in self.parameters)

    def off_simplex(self, inputs: Mapping[str, Numbers]) -> Numbers:
        """Which rows have shares that do not add up to one, (rows,); of a law without shares none."""
        if not self.simplex:
            return np.zeros(len(next(iter(inputs.values()))), dtype=bool)
        return np.asarray(np.abs(sum(inputs[name] for name in self.simplex) - 1.0) > SHARES_ADD_UP)

    @cached_property
    def curves(self) -> tuple[str, ...]:
        """Names of the inputs that are a curve per run."""
        return tuple(name for name, domain in self.input_domains.items() if domain == CURVE)

    @property
    def along(self) -> str:
        """The input that curves run along: the first that is none."""
        return next(name for name in self.inputs if name not in self.curves)

    def one_row(self, number: Any) -> dict[str, Any]:
        """What stands for one run where the law is only traced: of every input, the same `number`."""
        knots = [jax.ShapeDtypeStruct((1,), number.dtype)] * (len(fields(Curve)) - 1)
        curve: Curve[Any] = Curve(number, *knots)
        return {name: curve if name in self.curves else number for name in self.inputs}

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Printed name of every number among the parameters (vectors are spelled out)."""
        return tuple(label for p in self.parameters for label in p.labels)

    @cached_property
    def label_domains(self) -> tuple[Domain, ...]:
        """Domain of every number among the parameters, in the order of `labels`."""
        return tuple(p.domain for p in self.parameters for _ in p.labels)

    def apply(self, params: Mapping[str, ArrayLike], inputs: Mapping[str, ArrayLike]) -> Array:
        """The law as a pure function of two dicts: the form that `jit`, `grad` and `vmap` take."""
        for what, given, names in (("params", params, self.params), ("inputs", inputs, self.inputs)):
            if not _are_numeric(given, names):
                raise TypeError(
                    f"Law '{self.name}': {what}={shown(given)}: give a mapping with numbers for "
                    f"{', '.join(names)}."
                )
        return self.fn(
            *(inputs[name] for name in self.inputs), **{name: params[name] for name in self.params}
        )

    def unflatten(self, numbers: AnyArray) -> dict[str, AnyArray]:
        """A flat vector in the order of `labels` as a dict of named parameters."""
        out, at = {}, 0
        for p in self.parameters:
            out[p.name] = numbers[at] if not p.shape else numbers[at : at + p.size].reshape(p.shape)
            at += p.size
        return out

    def flatten(self, params: Mapping[str, ArrayLike]) -> Numbers:
        """Named parameters as one flat float64 vector in the order of `labels`."""
        return np.concatenate(
            [np.ravel(np.asarray(params[p.name], dtype=np.float64)) for p in self.parameters]
        )

    def numbers_of(self, params: object) -> Numbers:
        """`flatten` for parameters that somebody hands in: each named, a number, and inside its domain.

        Raises:
            ValueError: one sentence naming the parameter.
        """
        if not isinstance(params, Mapping) or set(params) != set(self.params):
            given = ", ".join(map(str, params)) if isinstance(params, Mapping) else repr(params)
            raise ValueError(
                f"Law '{self.name}' has the parameters {', '.join(self.params)}; given are {given}."
            )
        return np.concatenate([np.ravel(p.checked(params[p.name])) for p in self.parameters])

    def __call__(self, *args: ArrayLike, **kwargs: ArrayLike) -> Any:
        """The law's value: a float or an array as the arguments are, traced where one of them is."""
        named = self._bound(args, kwargs)
        if any(isinstance(v, jax.core.Tracer) for v in named.values()):
            return self.apply(named, named)
        with own_settings():
            curves = {name: self._rates(name, named.pop(name)) for name in self.curves}
            values = {k: jnp.asarray(self._numeric(k, v)) for k, v in named.items()}
            shape = self._shape(values)
            result = self._over(shape, values, curves)
        return float(result) if result.ndim == 0 else result

    def _bound(self, args: Sequence[ArrayLike], kwargs: Mapping[str, ArrayLike]) -> dict[str, ArrayLike]:
        """Inputs and parameters by name; inputs may also be given by position."""
        if len(args) > len(self.inputs):
            raise TypeError(
                f"Law '{self.name}' takes {len(self.inputs)} inputs by position ({', '.join(self.inputs)}), "
                f"got {len(args)}: name the parameters."
            )
        named = dict(zip(self.inputs, args, strict=False)) | dict(kwargs)
        expected = {*self.inputs, *self.params}
        if set(named) != expected:
            missing, unknown = sorted(expected - set(named)), sorted(set(named) - expected)
            raise TypeError(
                f"Law '{self.name}' takes inputs {self.inputs} and parameters {self.params}; missing "
                f"{missing}, unknown {unknown}."
            )
        return named

    def _numeric(self, name: str, value: ArrayLike) -> Numbers:
        try:
            return np.asarray(real_numbers(value), dtype=np.float64)
        except Exception:
            raise TypeError(
                f"Law '{self.name}': {name}={shown(value)}: give numbers, one or an array."
            ) from None

    def _rates(self, name: str, value: Any) -> Rates:
        """What a person gives for a curve: one rate per update."""
        try:
            return value if isinstance(value, Rates) else Rates(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"Law '{self.name}': {name}={shown(value)}: {error}.") from None

    def _shape(self, values: Mapping[str, Array]) -> tuple[int, ...]:
        """The shape that inputs and parameters have together."""
        try:
            return np.broadcast_shapes(
                *(values[i].shape for i in self.inputs if i in values), *self._batch_shapes(values)
            )
        except ValueError:
            shapes = ", ".join(f"{name}: {value.shape}" for name, value in values.items())
            raise ValueError(f"Law '{self.name}': these shapes do not go together: {shapes}.") from None

    def _batch_shapes(self, values: Mapping[str, Array]) -> list[tuple[int, ...]]:
        """What is left of each parameter's shape before its own."""
        return [values[p.name].shape[: values[p.name].ndim - len(p.shape)] for p in self.parameters]

    def _over(
        self, shape: tuple[int, ...], values: Mapping[str, Array], curves: Mapping[str, Rates]
    ) -> Numbers:
        """Evaluates at every element of the broadcast shape, whatever the law does inside."""
        numeric = [name for name in self.inputs if name not in curves]
        cores = {p.name: p.shape for p in self.parameters} | dict.fromkeys(numeric, ())
        flat = {
            k: jnp.broadcast_to(values[k], shape + core).reshape((-1, *core)) for k, core in cores.items()
        }
        rows: dict[str, Any] = flat | {
            name: jax.tree.map(jnp.asarray, rates.seen_from(np.asarray(flat[self.along])))
            for name, rates in curves.items()
        }
        return np.asarray(jax.vmap(lambda one: self.apply(one, one))(rows)).reshape(shape)

    def __repr__(self) -> str:
        return f"<law {self.name}({', '.join(self.inputs)}; {', '.join(self.params)})>"

    def __reduce__(self) -> tuple[Callable[..., object], tuple]:
        if self.recipe is not None:
            return _rebuild, self.recipe
        module, qualname = str(self.__module__), str(getattr(self.fn, "__qualname__", self.name))
        try:
            found = _lookup(module, qualname)
        except (ImportError, AttributeError):
            found = None
        if found is not self:
            raise TypeError(
                f"Law '{self.name}' cannot be pickled by name: define it at the top level of an importable "
                "module."
            )
        return _lookup, (module, qualname)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Law):
            return NotImplemented
        return self is other or (self.recipe is not None and self.recipe == other.recipe)

    def __hash__(self) -> int:
        return hash(self.recipe) if self.recipe is not None else id(self)


@overload
def law(fn: LossFn, **options: Any) -> Law: ...
@overload
def law(fn: None = None, **options: Any) -> Callable[[LossFn], Law]: ...
def law(fn: LossFn | None = None, **options: Any) -> Law | Callable[[LossFn], Law]:
    r"""Turns a function of one run into a `Law`.

    Positional arguments are inputs, keyword-only arguments parameters, annotations their domains (`Positive`,
    `Real`, `NonNegative`, `Unit`, `Annotated[Array, Interval(lo, hi)]`); an input is positive and a parameter
    real unless said otherwise. Options are those of `Law`.

    >>> import scaling_jax as sj
    >>> @sj.law
    ... def mine(N, D, *, E: sj.Positive, A: sj.Positive, alpha: sj.Real):
    ...     return E + A * (N * D) ** -alpha
    >>> mine
    <law mine(N, D; E, A, alpha)>
    >>> mine(10.0, 10.0, E=1.0, A=2.0, alpha=0.5)
    1.2
    """
    known = list(inspect.signature(Law).parameters)[1:]
    if unknown := sorted(set(options) - set(known)):
        raise TypeError(f"law has no option {', '.join(unknown)}: it has {', '.join(known)}.")
    if fn is None:
        return lambda f: Law(f, **options)
    return Law(fn, **options)


def must_be_law(law: object) -> None:
    """Refuses what is no law.

    Raises:
        TypeError: in one sentence.
    """
    if not isinstance(law, Law):
        raise TypeError(
            "The first argument is a law (sj.laws.…, its name, or a function decorated with @sj.law), not "
            f"{type(law).__name__}."
        )


@lru_cache(maxsize=256)
def check_law(law: Law) -> None:
    """Traces the law for one run, so that a mistake in it is one sentence and not a stack of JAX's frames.

    Raises:
        TypeError: if JAX cannot trace the function, or if it does not return one real number.
    """
    with own_settings():
        one = law.one_row(jax.ShapeDtypeStruct((), np.float64))
        one |= {p.name: jax.ShapeDtypeStruct(p.shape, np.float64) for p in law.parameters}
        try:
            out = jax.eval_shape(lambda named: law.apply(named, named), one)
        except Exception as error:
            reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            raise TypeError(
                f"Law '{law.name}' cannot be traced by JAX ({reason}). Write it for one run with jax.numpy, "
                "and jnp.where in place of if."
            ) from error
    if getattr(out, "shape", None) != () or not jnp.issubdtype(out.dtype, jnp.floating):
        raise TypeError(f"Law '{law.name}' must return one real number for one run; it returns {out}.")


_UNREAD = Domain("unread")


def _read_signature(
    fn: LossFn,
    name: str,
    domains: Mapping[str, object],
    shapes: Mapping[str, tuple[int, ...]],
    priors: Mapping[str, tuple[str, float, float]],
) -> tuple[dict[str, Domain], list[Parameter]]:
    """Inputs with their domains, and parameters, as a signature and what is said beside it give them."""
    for word, given in domains.items():
        if domain_of(given, _UNREAD) is _UNREAD:
            raise TypeError(
                f"Law '{name}': domains has {shown(given)} for {word}: use sj.Positive, Real, "
                "NonNegative, Unit "
                "or Interval(lo, hi)."
            )
    annotations = _annotations(fn) | dict(domains)
    inputs: dict[str, Domain] = {}
    params: list[Parameter] = []
    for word, argument in inspect.signature(fn).parameters.items():
        if argument.kind is argument.KEYWORD_ONLY:
            domain = domain_of(annotations.get(word), REAL)
            params.append(Parameter(word, domain, tuple(shapes.get(word, ())), priors.get(word)))
        elif argument.kind is argument.POSITIONAL_OR_KEYWORD:
            inputs[word] = domain_of(annotations.get(word), POSITIVE)
    known = {*inputs, *(p.name for p in params)}
    for what, named in (("domains", domains), ("shapes", shapes), ("priors", priors)):
        if unknown := set(named) - known:
            raise TypeError(
                f"Law '{name}': {what} names {sorted(unknown)}, which its signature does not have."
            )
    return inputs, params


def _is_function(fn: object) -> bool:
    """Whether it has a name and a signature of its own, which a partial and a callable object lack."""
    return callable(fn) and hasattr(fn, "__name__")


def _are_numeric(given: object, names: Sequence[str]) -> bool:
    """Whether there is something to compute with under each name."""
    if not isinstance(given, Mapping):
        return False
    held = [given.get(name) for name in names]
    numeric = [v for v in held if isinstance(v, jax.Array | np.ndarray | np.number | int | float | Curve)]
    return len(numeric) == len(held) and all(
        v.dtype.kind in "iufb" for v in numeric if isinstance(v, np.ndarray)
    )


def _kind_of(value: object) -> str:
    """What something is, in a sentence."""
    return repr(value) if value is None or isinstance(value, str | int | float) else type(value).__name__


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and bool(np.isfinite(value))


def _is_range(limits: object) -> bool:
    pair = list(limits) if isinstance(limits, Sequence | np.ndarray) else []
    return len(pair) == 2 and all(map(_is_number, pair)) and bool(pair[0] < pair[1])


def _is_prior(prior: object) -> bool:
    if not isinstance(prior, Sequence) or len(prior) != 3:
        return False
    family, location, scale = prior
    return isinstance(family, str) and _is_number(location) and _is_number(scale) and scale > 0


def _annotations(fn: LossFn) -> dict[str, object]:
    """A function's annotations, as they are written where a name in them is out of sight."""
    try:
        return typing.get_type_hints(fn, include_extras=True)
    except NameError:
        return dict(getattr(fn, "__annotations__", {}))


def _formula_of(doc: str | None) -> str:
    match = re.search(r"\$\$(.+?)\$\$", doc or "", re.S)
    return " ".join(match.group(1).split()) if match else ""


def _lookup(module: str, qualname: str) -> Any:
    return reduce(getattr, qualname.split("."), importlib.import_module(module))


def _rebuild(module: str, function: str, args: tuple) -> Law:
    return _lookup(module, function)(*args)
