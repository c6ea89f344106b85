"""How a residual is charged: the objectives, all one kernel with three numbers, and what a residual is.

Every objective is `scale * side(r) * huber(r, delta)`, where `side` is `over` for over-prediction and 1
otherwise. Squared error is the limit of an infinite threshold, absolute error that of a vanishing one. The
three numbers are traced data, so changing an objective never recompiles and one batch may hold many of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from scaling_jax.core.arrays import Numbers
from scaling_jax.core.checked import shown
from scaling_jax.core.counts import deviance_root_of_numbers
from scaling_jax.core.overdispersed import charge_root_of_numbers, numbers_of_scatter

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = [
    "AbsoluteError",
    "Asymmetric",
    "BetaBinomial",
    "Binomial",
    "Huber",
    "Objective",
    "SquaredError",
    "objective_from_dict",
]

MOST_TRIALS = 2.0**53  # beyond it whole numbers are not told apart
Scale = Literal["log", "raw", "counts", "overdispersed"]
Record = dict[str, str | float]


def _is_number(value: object) -> bool:
    """Whether it is a number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    return not isinstance(value, int) or abs(value) < 2**1023


@dataclass(frozen=True)
class Objective:
    """What the four objectives share: the residual's scale, and the sum that is minimised.

    The residual is `log(prediction) - log(target)` on "log" and `prediction - target` on "raw", divided by
    the known standard error where one is given; the objective is the weighted sum over rows of
    `rho(residual)`.
    """

    on: Scale = field(default="log", kw_only=True)
    kind: ClassVar[str] = "objective"

    def __post_init__(self) -> None:
        if str(self.on) not in ("log", "raw"):
            raise ValueError(
                f"objective on={shown(self.on)}: residuals are taken on 'log' or on 'raw' values."
            )

    @property
    def numbers(self) -> tuple[float, float, float]:
        """(delta, over, scale) of the common kernel."""
        raise NotImplementedError

    @property
    def smooth(self) -> bool:
        """Whether the charge has a slope everywhere: without a threshold it has a corner at zero."""
        return self.numbers[0] > 0

    @property
    def counts(self) -> str | float | None:
        """Column or number of the trials, where the target counts successes; None for other targets."""
        return None

    @property
    def on_log(self) -> bool:
        """Whether residuals are taken on logarithms."""
        return self.on == "log"

    def scaled(self, values: ArrayLike) -> Numbers:
        """Values of the target, or predictions of it, on the residual's scale."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.log(values) if self.on_log else np.asarray(values, dtype=np.float64)

    @property
    def overdispersed(self) -> bool:
        """Whether counts scatter more than their trials do, by a number that is fitted with the law's."""
        return False

    def residual(
        self,
        prediction: ArrayLike,
        target: ArrayLike,
        target_se: ArrayLike | None = None,
        numbers: Numbers | None = None,
    ) -> Numbers:
        """What is charged: prediction less target on the residual's scale, over the known standard error.

        `numbers`, (..., labels), are those that the law predicts by, which some objectives look at.
        """
        residual = self.scaled(prediction) - self.scaled(target)
        return residual if target_se is None else residual / target_se

    def moved(self, values: Numbers, by: Numbers) -> Numbers:
        """Values of the target moved on the residual's scale: by a factor on logarithms, else by a sum."""
        with np.errstate(over="ignore"):
            return values * np.exp(by) if self.on_log else values + by

    def rho(self, residual: ArrayLike) -> Numbers:
        """The charge of each residual, exactly, in float64."""
        delta, over, scale = self.numbers
        size = np.abs(np.asarray(residual, dtype=np.float64))
        inner = np.minimum(size, delta)
        return scale * np.where(np.asarray(residual) > 0, over, 1.0) * inner * (size - 0.5 * inner)

    def to_dict(self) -> Record:
        return {"kind": self.kind, **asdict(self)}


@dataclass(frozen=True)
class Huber(Objective):
    r"""Huber's loss: quadratic up to `delta`, linear beyond.

    $$\rho(r) = r^2/2 \text{ if } |r| \le \delta, \text{ else } \delta(|r| - \delta/2)$$

    Source: Hoffmann et al. 2022, eq. 3, with delta 1e-3 on logarithms.

    >>> Huber(1.0).rho([0.5, 3.0]).tolist()
    [0.125, 2.5]
    """

    delta: float = 1e-3
    kind: ClassVar[str] = "huber"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (_is_number(self.delta) and self.delta > 0):
            raise ValueError(f"Huber(delta={shown(self.delta)}): the threshold must be positive, a number.")

    @property
    def numbers(self) -> tuple[float, float, float]:
        return self.delta, 1.0, 1.0


@dataclass(frozen=True)
class SquaredError(Objective):
    """Squared residuals, `rho(r) = r**2` (no factor one half).

    >>> SquaredError().rho([2.0]).tolist()
    [4.0]
    """

    kind: ClassVar[str] = "squared"

    @property
    def numbers(self) -> tuple[float, float, float]:
        return np.inf, 1.0, 2.0


@dataclass(frozen=True)
class Asymmetric(Objective):
    """Absolute residuals, over-prediction weighted `over` times.

    With `delta` the corner at zero is rounded as Huber's is.

    Source: kyo-takano/chinchilla, which uses `over=10` on raw losses.

    >>> Asymmetric(over=10.0).rho([-1.0, 1.0]).tolist()
    [1.0, 10.0]
    """

    over: float = 10.0
    delta: float = 0.0
    kind: ClassVar[str] = "asymmetric"

    def __post_init__(self) -> None:
        super().__post_init__()
        numbers = _is_number(self.over) and _is_number(self.delta)
        if not (numbers and self.over > 0 and self.delta >= 0):
            raise ValueError("Asymmetric needs over > 0 and delta >= 0.")

    @property
    def numbers(self) -> tuple[float, float, float]:
        return self.delta, self.over, 1.0 / self.delta if self.delta else np.inf

    def rho(self, residual: ArrayLike) -> Numbers:
        if self.delta:
            return super().rho(residual)
        r = np.asarray(residual, dtype=np.float64)
        return np.where(r > 0, self.over, 1.0) * np.abs(r)


@dataclass(frozen=True)
class AbsoluteError(Objective):
    """Absolute residuals, `rho(r) = |r|`: the limit of Huber's loss divided by a vanishing delta.

    >>> AbsoluteError(on="raw").rho([-2.0]).tolist()
    [2.0]
    """

    kind: ClassVar[str] = "absolute"

    @property
    def numbers(self) -> tuple[float, float, float]:
        return 0.0, 1.0, np.inf

    def rho(self, residual: ArrayLike) -> Numbers:
        return np.abs(np.asarray(residual, dtype=np.float64))


@dataclass(frozen=True)
class Binomial(Objective):
    r"""Minus the binomial log-likelihood of successes out of trials, above its highest value.

    $$\sum_i k_i \log\frac{k_i / n_i}{p_i} + (n_i - k_i) \log\frac{1 - k_i / n_i}{1 - p_i}$$

    for k_i successes of n_i trials and the law's probability p_i: half the deviance. The target is the column
    of successes; the fit keeps their share, which is what the law predicts, as a probability: a logistic law
    says its sigmoid itself. A residual is the signed root of a row's deviance, of size one where trials alone
    scatter. No scale is estimated. Where more than the trials scatters, `fit.objective_value` is well above
    half the rows; intervals, from the sandwich or from rows resampled, hold that in either case.

    Args:
        trials: column of trials, or their number where it is the same for all rows.

    Source: McCullagh and Nelder 1989, section 4.4.

    >>> import scaling_jax as sj
    >>> table = {"x": [1, 2, 4, 8], "n": [50, 50, 80, 80], "solved": [48, 40, 44, 20]}
    >>> fit = sj.fit(sj.laws.power_law, table, target="solved", objective=sj.Binomial("n"))
    >>> round(fit.params["alpha"], 3), round(fit.objective_value, 3)
    (0.491, 3.999)
    """

    trials: str | float = "trials"
    on: Scale = field(default="counts", init=False)
    kind: ClassVar[str] = "binomial"

    def __post_init__(self) -> None:
        given = self.trials
        whole = not isinstance(given, str) and _is_number(given) and given % 1 == 0
        if not (isinstance(given, str) or (whole and 1 <= given < MOST_TRIALS)):
            raise ValueError(
                f"{type(self).__name__}(trials={shown(given)}): give the column of trials, or their number, "
                "1 or more."
            )

    @property
    def numbers(self) -> tuple[float, float, float]:
        return np.inf, 1.0, 1.0

    @property
    def counts(self) -> str | float | None:
        return self.trials

    def residual(
        self,
        prediction: ArrayLike,
        target: ArrayLike,
        target_se: ArrayLike | None = None,
        numbers: Numbers | None = None,
    ) -> Numbers:
        """The signed root of the deviance of shares; `target_se` is one over the root of the trials."""
        root = deviance_root_of_numbers(prediction, target)
        return root if target_se is None else root / target_se

    def moved(self, values: Numbers, by: Numbers) -> Numbers:
        """Shares moved by so many deviations of one trial."""
        inside = np.clip(values, 0.0, 1.0)
        return np.clip(values + by * np.sqrt(inside * (1 - inside)), 0.0, 1.0)

    def to_dict(self) -> Record:
        return {"kind": self.kind, "trials": self.trials}


@dataclass(frozen=True)
class BetaBinomial(Binomial):
    r"""Minus the beta-binomial log-likelihood: successes of rows whose rates scatter about the law's.

    $$k_i \sim \text{Bin}(n_i, q_i), \qquad
      q_i \sim \text{Beta}\left(p_i \frac{1 - \rho}{\rho},\ (1 - p_i) \frac{1 - \rho}{\rho}\right)$$

    for the law's probability p_i. The overdispersion rho, the correlation of two trials of one row, is
    estimated with the law's own parameters and named `overdispersion` among them: a count varies
    1 + (n_i - 1) rho times as much as its trials alone make it. At 0, which the optimum may be, this is
    `Binomial`. What is summed is what each row's log-probability lacks of the highest that any rate gives.

    Args:
        trials: column of trials, or their number where it is the same for all rows.

    Known to go wrong: rows that say the same about one rate, such as checkpoints of one run, are not drawn
    anew each: name the runs. Few trials per row (one, at worst) do not tell rho.

    Source: Skellam 1948; Griffiths 1973.

    >>> import scaling_jax as sj
    >>> table = {"x": [1, 2, 4, 8, 16], "n": [50, 50, 80, 80, 80], "solved": [49, 32, 52, 20, 16]}
    >>> fit = sj.fit(sj.laws.power_law, table, target="solved", objective=sj.BetaBinomial("n"))
    >>> round(fit.params["alpha"], 2), round(fit.params["overdispersion"], 3)
    (0.51, 0.024)
    """

    on: Scale = field(default="overdispersed", init=False)
    kind: ClassVar[str] = "beta_binomial"

    @property
    def overdispersed(self) -> bool:
        return True

    def residual(
        self,
        prediction: ArrayLike,
        target: ArrayLike,
        target_se: ArrayLike | None = None,
        numbers: Numbers | None = None,
    ) -> Numbers:
        """The signed root of twice what a row's log-probability lacks of the highest."""
        if target_se is None or numbers is None:
            raise ValueError("The residual of overdispersed counts needs their trials and the law's numbers.")
        trials = np.round(np.asarray(target_se, dtype=np.float64) ** -2.0)
        correlation = numbers_of_scatter(np.asarray(prediction), numbers)
        return charge_root_of_numbers(prediction, target, trials, correlation)


_KINDS: dict[object, Callable[..., Objective]] = {
    cls.kind: cls for cls in (Huber, SquaredError, AbsoluteError, Asymmetric, Binomial, BetaBinomial)
}


def objective_from_dict(record: Mapping[str, str | float]) -> Objective:
    """The objective that `to_dict` described."""
    fields = dict(record)
    return _KINDS[fields.pop("kind")](**fields)
