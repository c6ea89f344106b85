"""What `sj.fit` returns: the record of a fit, and every question one may ask of it.

Each method is one call down to the function that answers it; nothing is kept here that `Fitted` does not
hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from scaling_jax.api.record import read_json, text_of, write_json
from scaling_jax.core.checked import checked
from scaling_jax.core.law import Law
from scaling_jax.core.printed import Printed
from scaling_jax.fitting.fitted import Fitted
from scaling_jax.reporting.blocks import Section
from scaling_jax.reporting.shown import Shown
from scaling_jax.reporting.summary import Told, summary_sections, summary_text
from scaling_jax.tables.frames import TableLike

if TYPE_CHECKING:
    from scaling_jax.diagnosis.adequacy import Adequacy
    from scaling_jax.diagnosis.backtest import Backtest
    from scaling_jax.diagnosis.examination import Examination
    from scaling_jax.diagnosis.monitor import Monitor
    from scaling_jax.diagnosis.sensitivity import Sensitivity
    from scaling_jax.diagnosis.verdict import Verdict
    from scaling_jax.posterior import Posterior
    from scaling_jax.reporting.checklist import Checklist
    from scaling_jax.uncertainty.draws import Draws
    from scaling_jax.uncertainty.optimum import Optimum
    from scaling_jax.uncertainty.profile import Profile
    from scaling_jax.uncertainty.sandwich import LackOfFit

__all__ = ["FitResult"]


class FitResult(Fitted, Shown):
    """One fitted law, with the certificate of its optimum.

    Made by `sj.fit`. Refitting gives a new object; nothing here changes. `Fitted` lists what it holds: `law`,
    `params`, `numbers`, `objective`, `objective_value`, `status`, `warnings`, `certificate`, `residuals`, ...
    """

    @classmethod
    def of(cls, fitted: Fitted) -> FitResult:
        """The record with its questions."""
        return cls(**{f.name: getattr(fitted, f.name) for f in fields(Fitted)})

    @overload
    def predict(self, other: TableLike, interval: None = None, level: float = 0.9) -> np.ndarray: ...

    @overload
    def predict(
        self, other: TableLike, interval: str, level: float = 0.9, simultaneous: bool = False
    ) -> pd.DataFrame: ...

    @checked
    def predict(
        self, other: TableLike, interval: object = None, level: float = 0.9, simultaneous: bool = False
    ) -> np.ndarray | pd.DataFrame:
        """The law's predictions for other runs.

        Args:
            other: a table, or a mapping of inputs to numbers or arrays; columns are found by the law's input
                names or by the columns the fit was given.
            interval: None, "confidence" (band of the mean curve) or "prediction" (of a new run, widened
                beyond the data by what laws were measured to err there), from 1,000 bootstrap refits
                (cached); see `Draws.predict`.
            level: probability between the two ends of the band.
            simultaneous: with an interval, one band for all rows at once, for a whole curve; see
                `Draws.predict`.

        Returns:
            (rows,) predictions in the unit of the target; with an interval a DataFrame with prediction,
            lower, upper and extrapolation (decades beyond the fitted range), its index that of a frame that
            was given.

        Raises:
            DataError: if an input is missing or outside its domain.

        >>> import scaling_jax as sj
        >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]})
        >>> fit.predict({"x": 1000}).round(6).tolist()
        [0.5]
        """
        if interval is None:
            return self.point(other)
        if not isinstance(interval, str):
            names = ", ".join(f"{name!r}: ..." for name in self.law.inputs)
            raise ValueError(
                f"interval={interval!r}: predict takes one table or mapping of inputs, predict({{{names}}}), "
                "and then 'confidence' or 'prediction'."
            )
        return self.draws.predict(other, interval, level, simultaneous=simultaneous)

    def optimal(self, flops: ArrayLike, level: float | None = None) -> pd.DataFrame:
        """The best run of each budget C = 6 N D, as Approaches 1 and 2 have it; see `sj.compute_optimal`, and
        `sj.plan` for other costs and limits."""
        from scaling_jax.planning.budget import compute_optimal

        return compute_optimal(self, flops, level=level)

    def exponents(self, level: float | None = None) -> pd.DataFrame:
        """How the best size and tokens grow with compute; see `sj.allocation_exponents`."""
        from scaling_jax.planning.budget import allocation_exponents

        return allocation_exponents(self, level=level)

    @checked
    def bootstrap(
        self,
        n: int = 1000,
        *,
        seed: int = 0,
        method: str | None = None,
        indices: ArrayLike | None = None,
        scale: str | None = None,
    ) -> Draws:
        """Refits the law to `n` resampled tables in one batch, each polished to its own optimum from several
        basins.

        A group that shares parameters with others is refitted jointly with them: all groups are resampled.

        Args:
            n: replicates.
            seed: of the resampling.
            method: "run", "row", "bayesian" (Dirichlet weights over runs; Rubin 1981), "residual", or
                "hierarchical" (scales first, then runs within them; Ivgi et al. 2022, arXiv:2202.06387,
                section 3.3). By default "bayesian" where the objective charges most residuals by their size
                (a Huber threshold below the noise), else "run", or "row" where
                runs are unknown: in simulated sweeps these came closest to their level.
            indices: (replicates, rows) positions to use in place of a draw.
            scale: input whose values are the scales of the hierarchical method; the law's first input by
                default.

        Returns:
            `Draws`: `.params`, `.conf_int(level)`, `.predict(other, interval=, level=)`, `.derive(function)`.

        Raises:
            DataError: when the data are not attached, or those of the groups that share parameters.
            ValueError: for an unknown method or malformed indices.

        >>> import numpy as np, scaling_jax as sj
        >>> x = np.array([1.0, 2, 4, 8, 16, 32])
        >>> fit = sj.fit(sj.laws.power_law, {"x": x, "loss": 3 / x**0.5 * [1.01, 0.99, 1.0, 1.01, 1.0, 0.99]})
        >>> bool(fit.bootstrap(200).conf_int().loc["alpha", "lower"] < 0.51)
        True
        """
        from scaling_jax.uncertainty.bootstrap import bootstrap

        return bootstrap(self, n, seed, method, indices, scale)

    def posterior(self, **options: Any) -> Posterior:
        r"""The Bayesian posterior of the law's parameters, sampled by NUTS from the fitted optimum.

        $$\log y_i = \log L_\theta(x_i) + b_{r(i)} + \varepsilon_i, \qquad \varepsilon_i \sim t_\nu(0,
        \sigma)$$

        Args:
            priors: name -> NumPyro distribution on natural units (a positive parameter takes `LogNormal`,
                say), or a number that holds it; names are the law's parameters, and sigma, nu, run_sd. Others
                keep the law's own, or, where a law
                carries none, a wide one around the fit (positive: log-normal, three natural logs; real:
                normal).
            observation: "student" (default; degrees of freedom inferred, on the scale of the fit's
                residuals), "lognormal", or "normal" (raw values). Known `target_se` join sigma in square.
                Fits of `sj.Binomial` are observed as "binomial", those of `sj.BetaBinomial` as
                "beta_binomial", which have no sigma.
            run_effects: whether each run has an offset of its own; by default where `run=` is known and runs
                have several rows.
            method: "nuts", or "laplace" (seconds; the summary says how far it may be trusted).
            chains, draws, warmup: how many chains of how many draws, after how many of adaptation (4, 1000,
                500).
            target_accept: NUTS's acceptance (0.9); raise it where draws diverge.
            seed: of the sampler.

        Sampling runs on the processor, whatever JAX's default device is.

        Returns:
            A `Posterior`: `.params`, `.conf_int(level)`, `.predict(other, interval=, level=)`, `.derive`,
            `.summary()`, `.prior_sensitivity()`, `.to_arviz()`. Wherever a bootstrap is taken, so is this.

        Raises:
            ImportError: without NumPyro, with the remedy.
            ValueError: for unknown names or options, or a prior outside a parameter's domain.
            DataError: where the target cannot be observed as asked.
        """
        from scaling_jax.posterior.sample import sample_fit

        return sample_fit(self, **options)

    def jackknife(self) -> pd.DataFrame:
        """Parameters refitted without each run in turn (each row where runs are unknown): one row per run
        left out."""
        from scaling_jax.uncertainty.bootstrap import jackknife

        return jackknife(self)

    @property
    def draws(self) -> Draws:
        """The bootstrap behind `conf_int` and `predict(interval=)`: 1,000 replicates by the default method,
        seed 0, kept."""
        from scaling_jax.uncertainty.bootstrap import draws_of

        return draws_of(self)

    def conf_int(self, level: float = 0.9) -> pd.DataFrame:
        """Percentile intervals of the parameters from 1,000 bootstrap refits (cached), by run where runs are
        known.

        Args:
            level: probability between the two ends.

        Returns:
            One row per parameter: estimate, lower, upper, se.
        """
        return self.draws.conf_int(level)

    def cov(self) -> pd.DataFrame:
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

    def influence(self) -> pd.DataFrame:
        r"""How each parameter would move if each run (row, where runs are unknown) were left out, to first
        order.

        $$\Delta_r \theta \approx H^{-1} \sum_{i \in r} w_i \nabla \rho_i,$$
        H the exact Hessian: nothing is refitted. `jackknife` gives the refits; on the 245 runs of the
        Chinchilla replication the two rank the runs alike (Spearman .99 for every parameter).

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
    def optimum(self) -> Optimum:
        """The parameters as a differentiable function of targets, inputs, weights and fixed values; see
        `Optimum`.

        >>> import jax, scaling_jax as sj
        >>> table = {"x": [1, 10, 100], "loss": [4.0, 2, 1]}
        >>> fit = sj.fit(sj.laws.power_law, table, objective=sj.SquaredError())
        >>> slope = jax.grad(lambda w: fit.optimum(weights=w)["A"])(fit.data().weight)
        >>> bool(abs(slope).max() < 0.1)
        True
        """
        from scaling_jax.uncertainty.optimum import Optimum

        return Optimum(self)

    @checked
    def profile(self, name: str, level: float = 0.9, points: int = 24) -> Profile:
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
            ValueError: for a parameter that is not free, a level outside 0 and 1, or a group that shares
                parameters with others.

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

    @checked
    def sensitivity(
        self,
        at: Mapping[str, float] | None = None,
        flops: float | None = None,
        columns: Mapping[str, Mapping[str, ArrayLike]] | None = None,
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

    def backtest(self, level: float = 0.9) -> Backtest | None:
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
    def r_squared(self) -> float:
        """Share of the target's variance explained, on its natural scale whatever the objective's; see
        `evaluate.r_squared`.

        >>> import scaling_jax as sj
        >>> sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]}).r_squared > 0.999
        True
        """
        from scaling_jax.diagnosis.measures import r_squared

        target = self.data().target
        return r_squared(self.at_rows.prediction, target)

    @checked
    def check(self, new_runs: TableLike, target: str | None = None) -> pd.DataFrame:
        r"""Whether new runs, or checkpoints of one still training, keep to the fitted trend.

        $$z = \frac{\ln y - \ln L_\theta(x)}{\sigma(x)}, \qquad p = P(|t_{n-k}| > |z|)$$
        on the objective's scale (raw where it is raw). sigma is the reach of the 90 % prediction interval on
        the side of the deviation over the t quantile of .95: the parameters' uncertainty, a run's own scatter
        and the distance beyond the data are in it, and p is below .1 exactly where the run lies outside that
        interval. n counts the fitted runs (rows, where runs are unknown), k the free parameters.

        Args:
            new_runs: a table with the law's inputs, found as in `predict`, and the target; rows with missing
                values are left out.
            target: its column; by default the one that was fitted.

        Returns:
            One row per new run: measured, prediction, deviation (above 0: worse than the trend, for a loss),
            z, p (two-sided), extrapolation (decades beyond the fitted range). Checkpoints of one run deviate
            together: they are one piece of evidence.

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

    def monitor(
        self,
        run: TableLike,
        until: Mapping[str, float] | None = None,
        *,
        target: str | None = None,
        false_alarms: float = 0.05,
        level: float = 0.9,
    ) -> Monitor:
        r"""Whether a run that is still training is healthy, where it will end, and when that was clear.

        $$M_t = \sum_k w_k \sum_\delta \pi_\delta \prod_{s \le t} \frac{p(z_s \mid \delta \text{ from }
        k)}{p(z_s)}, \qquad P\left(\sup_t M_t \ge 1/\alpha\right) \le \alpha,$$
        z the run's residuals, whitened in the order they come by the process that the fitted runs follow (an
        offset of a run's own, errors that fade along it, noise) and the law's own uncertainty; k when a fault
        begins, and delta how far above the trend it lies. It may be looked at after every checkpoint.

        Args:
            run: the checkpoints so far, in order, with the law's inputs and the target.
            until: inputs at the end of the run, such as {"D": 2e11}; those of the last row by default.
            target: its column; by default the one that was fitted.
            false_alarms: probability of ever calling a healthy run faulty.
            level: probability between the two ends of the bands.

        Returns:
            `Monitor`: `.healthy`, `.alarm`, `.onset`, `.size`, `.end` (the forecast, which knows the run's
            own curve so far), `.table` (a row per checkpoint); printed, sentences. How runs scatter is learnt
            from the fitted runs (`run=`), or from this run's own first third where those have no checkpoints.

        Raises:
            DataError: for a run that does not rise along its tokens, or too few rows to learn from.

        Known to go wrong: the end of a decaying learning-rate schedule lies below the law of its middle.

        Source: Ville 1939; Ramdas et al. 2023 (arXiv:2210.01948) for tests that hold at every look.

        >>> import numpy as np, scaling_jax as sj
        >>> rng, x = np.random.default_rng(0), np.geomspace(1, 100, 20)
        >>> runs = {"x": np.tile(x, 3), "run": np.repeat([1, 2, 3], 20)}
        >>> runs["loss"] = 3 / runs["x"] ** 0.5 * np.exp(0.01 * rng.normal(size=60))
        >>> fit = sj.fit(sj.laws.power_law, runs, run="run", objective=sj.SquaredError())
        >>> faulty = 3 / x**0.5 * np.where(x > 10, 1.1, 1.0) * np.exp(0.01 * rng.normal(size=20))
        >>> watched = fit.monitor({"x": x, "loss": faulty})
        >>> watched.healthy, watched.onset
        (False, 10)
        """
        from scaling_jax.diagnosis.monitor import monitor

        return monitor(self, run, until, target, false_alarms, level)

    def lack_of_fit(self) -> LackOfFit | None:
        r"""The pure-error F test where inputs repeat (seeds): does the law miss more than seeds explain?

        $$F = \frac{\sum_g n_g \bar r_g^2 / (m - k)}{\sum_g \sum_{i \in g} (r_i - \bar r_g)^2 / (n - m)}$$
        for m distinct inputs and k free parameters, residuals r on the objective's scale. Rows of different
        runs at the same inputs are seeds; where runs have several rows, both degrees of freedom shrink by
        what the rows of a run are measured to have in common. Exact for squared errors, normal noise and one
        row per run; else an approximation.

        Returns:
            F, df_lack, df_pure, p, points; None where no inputs repeat in another run.

        Source: Draper and Smith 1998, section 2.1; Satterthwaite 1946.

        >>> import scaling_jax as sj
        >>> table = {"x": [1, 1, 10, 10, 100, 100], "loss": [4.0, 4.1, 2.5, 2.51, 1.0, 1.01]}
        >>> fit = sj.fit(sj.laws.power_law, table, objective=sj.SquaredError())
        >>> bool(fit.lack_of_fit().p < 0.01)
        True
        """
        from scaling_jax.uncertainty.sandwich import lack_of_fit

        return lack_of_fit(self)

    def adequacy(self) -> Adequacy:
        r"""Whether the law describes the rows: one decision, its size, and a law that does better.

        $$t_d = S_d \Big/ \Big(\sum_{\text{runs}} S_{d,\text{run}}^2\Big)^{1/2}, \qquad
        S_d = \sum_i w_i\,\psi(r_i)\,\tilde d_i, \qquad
        \tilde d = d - J(J^\top W J)^{-1} J^\top W d$$

        for directions d: bends and slopes along the prediction, each input, D/N, compute and the course of
        a run, breaks, and derivatives by a floor, an exponent of the sum of the terms and products of terms.
        J holds the law's own slopes, so that what was fitted costs the test nothing; psi bounds residuals at
        1.3 robust standard deviations. The largest t, whatever its sign, is compared with those of tables
        whose runs' residuals have their signs flipped, enlarged by each run's leverage; the pure-error test
        counts with it where inputs repeat. On data from the law itself at most one table in twenty is found
        wanting (`benchmarks/adequacy.py`). The law's `neighbours` are tried before one is named, and the
        smallest quarter and half of the runs are dropped to see parameters drift.

        Returns:
            `Adequacy`: `.speaks`, `.p`, `.size`, `.sentence`, `.suggestion`, `.table`, `.tried`, `.drift`.
            The verdict holds the sentence from the first look on, which refits nothing.

        Raises:
            DataError: when the data are not attached.

        Source: the wild cluster bootstrap of scores of Kline and Santos 2012, with the leverage of MacKinnon,
        Nielsen and Webb 2023 and, for few runs, the weights of Webb 2023.

        >>> import numpy as np, scaling_jax as sj
        >>> x = np.geomspace(1, 1e4, 24)
        >>> noise = np.exp(0.01 * np.random.default_rng(0).normal(size=24))
        >>> fit = sj.fit(sj.laws.power_law, {"x": x, "loss": (1 + 3 / x**0.5) * noise})
        >>> found = fit.adequacy()
        >>> found.speaks, found.suggestion
        (True, 'power_law_floor')
        """
        from scaling_jax.diagnosis.adequacy import adequacy

        return adequacy(self)

    @property
    def verdict(self) -> Verdict:
        """What to do with the fit: `.word` is "use", "inside the range" or "do not use", `.reasons` say why.

        It rests on the optimum (`status`), on whether the law describes the rows (`adequacy`), and, once
        `examine()` was called, on the backtest and on other choices; nothing is computed for it that refits.

        >>> import scaling_jax as sj
        >>> sj.fit(sj.laws.power_law_floor, {"x": [1.0, 10.0], "loss": [4.0, 2.0]}).verdict.word
        'do not use'
        """
        from scaling_jax.diagnosis.verdict import verdict

        return verdict(self)

    @property
    def warnings(self) -> list[str]:
        """What a reader must know, most serious first: what the verdict rests on, then the certificate's,
        then what replicates have shown where there are any.

        Empty when there is nothing.
        """
        from scaling_jax.diagnosis.verdict import warned_of

        return warned_of(self, self.verdict)

    def checklist(self) -> Checklist:
        """The reporting checklist of Li, Kudugunta and Zettlemoyer 2025 (arXiv:2502.18969), filled in as far
        as a fit knows.

        Returns:
            Text to print, tables in a notebook; what only the author can know is marked [to fill in].

        >>> import scaling_jax as sj
        >>> fit = sj.fit(sj.laws.power_law, {"x": [1, 10, 100], "loss": [4, 2, 1]})
        >>> print(fit.checklist().splitlines()[0])
        Reporting checklist for power_law (after Li, Kudugunta and Zettlemoyer 2025)
        """
        from scaling_jax.diagnosis.examination import examine
        from scaling_jax.diagnosis.told import told
        from scaling_jax.reporting.checklist import checklist

        examine(self)
        return checklist(self, told(self))

    @property
    def stderr(self) -> pd.Series:
        r"""Standard errors of the parameters without a refit, from the sandwich covariance; zero where fixed.

        They rest on the curvature at the optimum and hold where the law is nearly linear within them;
        `conf_int` refits, and is the one to quote. See `cov` for the formula and its source.

        >>> import numpy as np, scaling_jax as sj
        >>> x = np.array([1.0, 2, 4, 8, 16, 32])
        >>> loss = 3 / x**0.5 * [1.01, 0.99, 1.0, 1.01, 1.0, 0.99]
        >>> fit = sj.fit(sj.laws.power_law, {"x": x, "loss": loss}, objective=sj.SquaredError())
        >>> round(float(fit.stderr["alpha"]), 4)
        0.0023
        """
        from scaling_jax.uncertainty.sandwich import standard_errors

        return standard_errors(self)

    @checked
    def examine(self, tell: Callable[[str, str], None] | None = None) -> Examination:
        """Bootstrap, influence, repeated seeds, backtest and other choices, computed once and kept.

        `summary()` shows what they found from then on; looking at a fit computes nothing.

        Args:
            tell: called with the name and sentence of each finding as soon as it is known.

        Returns:
            `Examination`: `.draws`, `.backtest`, `.sensitivity`, `.findings`; printed, one line each. Empty
            for fits that are not to be used (not converged, underdetermined) or that share parameters with
            others.

        >>> import scaling_jax as sj
        >>> table = {"x": [1, 10, 100, 1000, 1e4, 1e5], "loss": [8.1, 4, 2, 1, 0.5, 0.24]}
        >>> fit = sj.fit(sj.laws.power_law, table)
        >>> fit.examine().findings[0][0]
        'Influence'
        """
        from scaling_jax.diagnosis.examination import examine

        return examine(self, tell)

    @property
    def examination(self) -> list[tuple[str, str]]:
        """What `examine()` found: names and sentences."""
        return self.examine().findings

    def summary(self) -> str:
        """A report as text: parameters, certificate, data, warnings, and what is known of their uncertainty.

        Nothing is refitted for it: intervals and findings are there once `examine()` was called.
        """
        return Printed(summary_text(self, self._told()))

    def _told(self) -> Told:
        from scaling_jax.diagnosis.told import told

        return told(self)

    @checked
    def to_json(self, path: str | Path | None = None) -> str:
        """Everything but the data as JSON text; the data are represented by their fingerprint.

        Args:
            path: a file to write it to as well.
        """
        text = write_json(self, self.verdict)
        if path is not None:
            Path(path).write_text(text)
        return text

    @classmethod
    def from_json(cls, text: str | Path, law: Law | None = None) -> FitResult:
        """The result that `to_json` wrote.

        Args:
            text: the JSON text, or the path of the file that holds it.
            law: the law, needed where it is a user's own.

        Raises:
            ValueError: one sentence, if the text is not what `to_json` wrote (a field that is missing, of
                another kind or shape, outside its domain, or contradicts another), if the law cannot be found
                by name, or if `law` does not compute what the fitted one did.
        """
        read = read_json(text_of(text), law)
        stored = read.pop("verdict")
        result = cls(**read)
        if stored is not None:
            from scaling_jax.diagnosis.verdict import Verdict

            result.kept["verdict"] = Verdict(**stored)
        return result

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        if self.reason:
            return f"<FitResult {self.law.name}: failed>"
        shown = ", ".join(
            f"{label}={value:.5g}" for label, value in zip(self.law.labels, self.numbers, strict=True)
        )
        return f"<FitResult {self.law.name}: {shown}; objective {self.objective_value:.6g}; {self.status}>"

    def _title(self) -> str:
        where = "" if self.key is None else f" of {self.key}"
        rows = f" to {self.record['rows_used']:,} rows" if self.record.get("rows_used") else ""
        return f"{self.law.name}({', '.join(self.law.inputs)}) fitted{rows}{where}"

    def _sections(self) -> list[Section]:
        return summary_sections(self, self._told())
