"""How to examine a fit: the methods of a result that ask whether its answer can be trusted, each one call
into its own file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pandas as pd

from scaling_jax.uncertainty.bootstrap import REPLICATES

if TYPE_CHECKING:
    from scaling_jax.diagnosis.backtest import Backtest
    from scaling_jax.diagnosis.sensitivity import Sensitivity
    from scaling_jax.uncertainty.optimum import Optimum
    from scaling_jax.uncertainty.profile import Profile
    from scaling_jax.uncertainty.sandwich import LackOfFit

__all__ = ["Examined"]


class Examined:
    """Covariance, influence, profile, derivative, sensitivity, backtest, check, lack of fit and checklist of
    a fit."""

    def cov(self: Any) -> pd.DataFrame:
        r"""The sandwich covariance of the parameters in natural units, clustered by run where runs are known.

        $$V = H^{-1} \Big(\sum_r s_r s_r^\top\Big) H^{-1}, \qquad s_r = \sum_{i \in r} w_i \nabla \rho_i,$$
        H the exact Hessian. It is computed in search coordinates and carried to natural units by the delta
        method.

        Returns:
            (labels, labels); zero for fixed parameters. Warns where most residuals lie beyond the Huber
            threshold: the curvature then rests on few rows, and the bootstrap (`conf_int`) is the one to use.

        Source: Huber 1967; for the Chinchilla table, where it is half too wide, Besiroglu et al. 2024
        (arXiv:2404.10102).

        >>> import numpy as np, scaling_jax as sj
        >>> x = np.array([1.0, 2, 4, 8, 16, 32])
        >>> loss = 3 / x**0.5 * [1.01, 0.99, 1.0, 1.01, 1.0, 0.99]
        >>> fit = sj.fit(sj.laws.power_law, {"x": x, "loss": loss}, objective=sj.SquaredError())
        >>> round(float(fit.cov().loc["alpha", "alpha"] ** 0.5), 4)
        0.0023
        """
        from scaling_jax.uncertainty.sandwich import covariance

        return covariance(self)

    def influence(self: Any) -> pd.DataFrame:
        r"""How each parameter would move if each run (row, where runs are unknown) were left out, to first
        order.

        $$\Delta_r \theta \approx H^{-1} \sum_{i \in r} w_i \nabla \rho_i,$$
        H the exact Hessian: nothing is refitted. `jackknife` gives the refits; on the 245 runs of the
            Chinchilla replication the
        two rank the runs alike (Spearman .99 for every parameter).

        Returns:
            One row per run left out, one column per parameter, in natural units.

        Source: Cook and Weisberg 1982; Koh and Liang 2017 (arXiv:1703.04730), eq. 1.

        >>> import scaling_jax as sj
        >>> table = {"x": [1.0, 2, 4, 8, 16, 32], "loss": [3.0, 2.1, 1.5, 1.06, 0.75, 0.6]}
        >>> fit = sj.fit(sj.laws.power_law, table, objective=sj.SquaredError())
        >>> int(fit.influence()["alpha"].abs().idxmax())
        5
        """
        from scaling_jax.uncertainty.sandwich import influence

        return influence(self)

    @cached_property
    def optimum(self: Any) -> Optimum:
        """The parameters as a differentiable function of targets, inputs, weights and fixed values; see
        `Optimum`.

        >>> import jax, scaling_jax as sj
        >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4.0, 2, 1]}, objective=sj.SquaredError())
        >>> slope = jax.grad(lambda w: fit.optimum(weights=w)["A"])(fit.data().weight)
        >>> bool(abs(slope).max() < 0.1)
        True
        """
        from scaling_jax.uncertainty.optimum import Optimum

        return Optimum(self)

    def profile(self: Any, name: str, level: float = 0.9, points: int = 24) -> Profile:
        r"""The objective as one parameter is held at other values and the rest refitted, with the likelihood
        interval.

        $$\{\theta : \ell(\hat\theta) - \ell_{\max}(\theta) \le \tfrac12 \chi^2_{1,\,\text{level}}\},$$
        the likelihood being the objective's own density with its scale profiled. All values are one batch;
        the range adapts.

        Args:
            name: a free parameter (`t[0]` for a number of a vector).
            level: probability of the interval.
            points: values on the grid inside the range.

        Returns:
            `Profile`: `.table`, `.lower`, `.upper`, `.identified`; printed, it says in words where the
            interval is open.

        Raises:
            ValueError: for a parameter that is not free, or a level outside 0 and 1.

        Source: Venzon and Moolgavkar 1988.

        >>> import numpy as np, scaling_jax as sj
        >>> x = np.array([1.0, 2, 4, 8, 16, 32])
        >>> loss = 3 / x**0.5 * [1.01, 0.99, 1.0, 1.01, 1.0, 0.99]
        >>> fit = sj.fit(sj.laws.power_law, {"x": x, "loss": loss}, objective=sj.SquaredError())
        >>> print(fit.profile("alpha"))
        alpha = 0.50247, 90 % likelihood interval 0.49761 to 0.50733
        """
        from scaling_jax.uncertainty.profile import profile

        return profile(self, name, level, points)

    def sensitivity(
        self: Any,
        at: Mapping[str, float] | None = None,
        flops: float | None = None,
        columns: Mapping[str, Mapping[str, Any]] | None = None,
        highest: Sequence[int] | None = None,
        level: float | None = 0.9,
    ) -> Sensitivity:
        """The same table under a dozen other defensible choices, in one batch.

        Other objectives and thresholds, raw or log residuals, exponents tied or free, other columns, the
        highest targets dropped, the lowest and top decades of compute and of D/N dropped, final checkpoints
        where runs are known. Choices that leave less than a third of the rows are left out.

        Args:
            at: inputs of the prediction to compare; ten times the largest run by default.
            flops: a training budget (laws of N and D): the optimum is compared as well, C = 6ND.
            columns: law input -> {words: values per fitted row}, other ways to count it.
            highest: how many of the highest targets to drop; 2 % and 5 % by default.
            level: of the interval set beside the choices; None leaves it out (no bootstrap).

        Returns:
            `Sensitivity`: `.table` (one row per choice), `.most`, and a sentence when printed.

        Source: Li, Kudugunta and Zettlemoyer 2025 (arXiv:2502.18969), whose refits under such choices moved
        D/N by large factors.

        >>> import numpy as np, scaling_jax as sj
        >>> x = np.geomspace(1, 100, 12)
        >>> fit = sj.fit(sj.laws.power_law, {"x": x, "loss": 3 / x**0.5})
        >>> found = fit.sensitivity(at={"x": 1000}, level=None)
        >>> bool(abs(found.table["prediction"] - 3 / 1000**0.5).max() < 1e-6)
        True
        """
        from scaling_jax.diagnosis.sensitivity import sensitivity

        return sensitivity(self, at, flops, columns, highest, level)

    def backtest(self: Any, level: float = 0.9) -> Backtest | None:
        """Drops the top budgets, refits, and predicts them: what the interval is worth where the answer is
        known.

        Args:
            level: probability the prediction interval claims.

        Returns:
            `Backtest`: `.table`, `.coverage`, `.error`, `.missed`; None where too few runs would be left to
            fit.

        >>> import numpy as np, scaling_jax as sj
        >>> x = np.geomspace(1, 100, 24)
        >>> loss = 3 / x**0.5 * np.exp(0.01 * np.random.default_rng(0).normal(size=24))
        >>> fit = sj.fit(sj.laws.power_law, {"x": x, "loss": loss})
        >>> fit.backtest().missed
        False
        """
        from scaling_jax.diagnosis.backtest import backtest

        return backtest(self, level)

    @property
    def r_squared(self: Any) -> float:
        """Share of the target's variance explained, on its natural scale whatever the objective's; see
        `evaluate.r_squared`.

        >>> import scaling_jax as sj
        >>> sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]}).r_squared > 0.999
        True
        """
        from scaling_jax.diagnosis.measures import r_squared

        target = self.data().target
        return r_squared(self.predict(self.data().inputs), target)

    def check(self: Any, new_runs: Any, target: str | None = None) -> pd.DataFrame:
        r"""Whether new runs, or checkpoints of one still training, keep to the fitted trend.

        $$z = \frac{\ln y - \ln L_\theta(x)}{\sigma(x)}, \qquad p = P(|t_{n-k}| > |z|)$$
        on the objective's scale (raw where it is raw). sigma is half the width of the 68 % prediction
        interval on the side of
        the deviation: the parameters' uncertainty, a run's own scatter and the distance beyond the data are
            in it. n counts the
        fitted runs (rows, where runs are unknown), k the free parameters.

        Args:
            new_runs: a table with the law's inputs, found as in `predict`, and the target; rows with missing
                values are left out.
            target: its column; by default the one that was fitted.

        Returns:
            One row per new run: measured, prediction, deviation (above 0: worse than the trend, for a loss),
                z, p (two-sided),
            extrapolation (decades beyond the fitted range). Checkpoints of one run deviate together: they are
            one piece of evidence.

        Raises:
            DataError: for a missing column or a value outside its domain.

        Source: Ivgi, Carmon and Berant 2022 (arXiv:2202.06387), section 5, who find runs that had not
        converged this way.

        >>> import numpy as np, scaling_jax as sj
        >>> x = np.geomspace(1, 100, 24)
        >>> loss = 3 / x**0.5 * np.exp(0.01 * np.random.default_rng(0).normal(size=24))
        >>> fit = sj.fit(sj.laws.power_law, {"x": x, "loss": loss})
        >>> (fit.check({"x": [50.0, 50.0], "loss": [3 / 50**0.5, 0.5]})["p"] < 0.01).tolist()
        [False, True]
        """
        from scaling_jax.diagnosis.check import check

        return check(self, new_runs, target)

    def lack_of_fit(self: Any) -> LackOfFit | None:
        r"""The pure-error F test where inputs repeat (seeds): does the law miss more than seeds explain?

        $$F = \frac{\sum_g n_g \bar r_g^2 / (m - k)}{\sum_g \sum_{i \in g} (r_i - \bar r_g)^2 / (n - m)}$$
        for m distinct inputs and k free parameters, residuals r on the objective's scale. Exact for squared
        errors and normal noise; for robust objectives an approximation.

        Returns:
            F, df_lack, df_pure, p, points; None where no inputs repeat, or where rows are checkpoints of one
            run.

        Source: Draper and Smith 1998, section 2.1.

        >>> import scaling_jax as sj
        >>> table = {"x": [1, 1, 10, 10, 100, 100], "loss": [4.0, 4.1, 2.5, 2.51, 1.0, 1.01]}
        >>> fit = sj.fit(sj.laws.power_law, table, objective=sj.SquaredError())
        >>> bool(fit.lack_of_fit().p < 0.01)
        True
        """
        from scaling_jax.uncertainty.sandwich import lack_of_fit

        return lack_of_fit(self)

    def checklist(self: Any) -> str:
        """The reporting checklist of Li, Kudugunta and Zettlemoyer 2025 (arXiv:2502.18969), filled in as far
        as a fit knows.

        Returns:
            Text to print; what only the author can know is marked [to fill in].

        >>> import scaling_jax as sj
        >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]})
        >>> print(fit.checklist().splitlines()[0])
        Reporting checklist for power_law (after Li, Kudugunta and Zettlemoyer 2025)
        """
        from scaling_jax.report.checklist import checklist

        return checklist(self)

    @cached_property
    def examination(self: Any) -> list[tuple[str, str]]:
        """What `summary()` says about influence, lack of fit, the backtest and other choices: names and
        sentences, cached."""
        from scaling_jax.diagnosis.sensitivity import sensitivity
        from scaling_jax.fitting.refits import refits_ahead
        from scaling_jax.uncertainty.sandwich import influence_words, lack_of_fit_words

        if (
            self.reason
            or self.runs is None
            or self.status in ("failed", "underdetermined", "not_converged")
            or self.shared
        ):
            return []
        found = [("Influence", influence_words(self)), ("Replicates", lack_of_fit_words(self))]
        if int((self.data().weight > 0).sum()) >= 3 * int(self.evidence.free.sum()):
            refits_ahead(self, REPLICATES)
            tested = self.backtest()
            found += [
                ("Backtest", str(tested) if tested else ""),
                ("Choices", str(sensitivity(self, alike=True))),
            ]
        return [(name, words) for name, words in found if words]
