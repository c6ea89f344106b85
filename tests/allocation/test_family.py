"""Three approaches on one table: each as when called alone, what is left out, and where they disagree."""

from __future__ import annotations

import pandas as pd
import pytest

import scaling_jax as sj
from tests.allocation.budgets import LAW, SHARE, centred

SWEEP = {"N": "n_params", "D": "tokens", "run": "run"}


@pytest.fixture(scope="module")
def three(our_sweep):
    return sj.approaches(our_sweep, budget="budget", **SWEEP)


def test_each_approach_is_what_it_is_alone(three, our_sweep, read):
    assert list(three.members) == [1, 2, 3] and not three.missing
    pd.testing.assert_frame_equal(three.members[2].exponents(), read.exponents())
    alone = sj.envelope(our_sweep, **SWEEP)
    table = three.optimal([1e14], level=None)
    assert table["approach"].tolist() == ["1, envelope", "2, isoFLOP", "3, law"]
    assert table["N"][0] == alone.optimal([1e14])["N"][0]
    assert table["N"][2] == sj.compute_optimal(three.members[3], [1e14])["N"][0]


def test_our_sweep_agrees_on_the_size_and_not_on_the_loss(three):
    """As the page on plans says: all exponents overlap, and the law's loss lies above the frontier's."""
    told = three.disagreements(1e14)
    assert told and all("its loss" in sentence for sentence in told)
    assert "Approaches 2, isoFLOP and 3, law disagree on its loss: 1.209" in "".join(told)
    assert "1, envelope" in str(three) and told[0].split(":")[0].split(" ")[0] == "Approaches"


def test_noise_free_runs_agree_and_what_cannot_be_read_is_said():
    runs, _ = centred(2)
    found = sj.approaches(runs, budget="C", objective=sj.SquaredError())
    assert list(found.members) == [2, 3] and "needs run=" in found.missing[1]
    exponents = found.exponents(level=None)["estimate"]
    assert exponents["2, isoFLOP", "N"] == pytest.approx(SHARE, abs=1e-6)
    assert exponents["3, law", "N"] == pytest.approx(SHARE, abs=1e-6)
    assert found.members[3].params["alpha"] == pytest.approx(LAW["alpha"], abs=1e-6)
    assert "needs budget=" in sj.approaches(runs).missing[2]
    with pytest.raises(sj.DataError):
        sj.approaches(runs, budget="C", loss="none")
