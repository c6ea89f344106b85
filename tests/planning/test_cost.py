"""What a run costs: terms add up in one unit, numbers may change, formulas are checked."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import scaling_jax as sj

H100 = 989e12


def test_device_hours_of_a_run():
    """1.751e20 FLOP at 40 % of 989e12 FLOP/s are 122.94964 hours, 1e24 FLOP 702,168.3."""
    hours = sj.cost.gpu_hours(peak=H100, mfu=0.4)
    assert hours(N=1.0, D=1.750999535e20 / 6) == pytest.approx(122.94964, rel=1e-7)
    assert hours(N=1.0, D=1e24 / 6) == pytest.approx(702_168.3, rel=1e-7)
    of_many = sj.cost.days(devices=16_384, peak=H100, mfu=0.4)
    assert of_many(N=1.0, D=3.8e25 / 6) == pytest.approx(67.857, rel=1e-5)
    assert sj.cost.money(price=2.0, peak=H100)(N=1e9, D=2e10) == pytest.approx(2 * hours(N=1e9, D=2e10))


def test_a_sum_is_the_sum_and_units_do_not_mix():
    parts = [sj.cost.training(), sj.cost.serving(tokens=2e12), sj.cost.finetuning(tokens=1e10)]
    run = {"N": np.array([1e9, 7e9]), "D": np.array([2e10, 1.4e12])}
    np.testing.assert_allclose(sum(parts)(**run), sum(part(**run) for part in parts), rtol=1e-12)
    np.testing.assert_allclose((2 * parts[0])(**run), 12 * run["N"] * run["D"], rtol=1e-12)
    with pytest.raises(ValueError, match="in FLOP and one in GPU-hours do not add up"):
        parts[0] + sj.cost.gpu_hours(peak=H100)
    with pytest.raises(ValueError, match="hours are made of FLOP"):
        sj.cost.gpu_hours(peak=H100, of=sj.cost.data(price=1e-9))
    dollars = sj.cost.money(price=2.0, peak=H100) + sj.cost.data(price=1e-9)
    assert dollars.unit == "$" and dollars.needs == ("N", "D")


def test_each_kind_of_cost():
    run = {"N": 12 * 32 * 4096.0**2, "D": 1e11, "P": 8.0, "E": 64.0}
    assert sj.cost.moe(active=0.25)(**run) == pytest.approx(1.5 * run["N"] * run["D"])
    assert sj.cost.moe(active="N / E")(**run) == pytest.approx(6 * run["N"] / 64 * run["D"])
    assert sj.cost.precision(bits="P")(**run) == pytest.approx(3 * run["N"] * run["D"])
    assert sj.cost.memory(bytes=2, cache=1e9)(**run) == pytest.approx(2 * run["N"] + 1e9)
    by_hand = 12 * 32 * 4096 * 2048 * run["D"]
    assert sj.cost.attention(2048, depth=32, width=4096)(**run) == pytest.approx(by_hand)
    assert sj.cost.attention(2048, aspect=128.0)(**run) == pytest.approx(by_hand, rel=1e-12)
    own = sj.cost.of(lambda N, D: 6 * N * D / jnp.log10(N))
    assert own(**run) == pytest.approx(6 * run["N"] * run["D"] / np.log10(run["N"]), rel=1e-12)
    slow = sj.cost.gpu_hours(peak=H100, mfu=lambda N: 0.4 * N / (N + 1e9))
    assert slow(N=1e9, D=1e11) == pytest.approx(2 * sj.cost.gpu_hours(peak=H100)(N=1e9, D=1e11))


def test_costs_that_differ_in_numbers_alone_share_a_program():
    one, other = (sj.cost.training() + sj.cost.serving(tokens=tokens) for tokens in (1e12, 3e12))
    assert one.form == other.form and one != other
    assert one.form != sj.cost.training().form


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sj.cost.of("6 * N *"), "is no formula"),
        (lambda: sj.cost.of("__import__('os')"), "is no formula"),
        (lambda: sj.cost.of("N.real"), "is no formula"),
        (lambda: sj.cost.of(lambda *runs: 1.0), "arguments are named as inputs"),
        (lambda: sj.cost.serving(tokens=-1.0), "tokens=-1.0"),
        (lambda: sj.cost.serving(tokens=np.nan), "finite number"),
        (lambda: sj.cost.gpu_hours(peak=H100, mfu=40.0), "between 0 and 1"),
    ],
)
def test_what_is_no_cost_is_one_sentence(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_cost_names_what_it_needs():
    with pytest.raises(TypeError, match="needs D"):
        sj.cost.training()(N=1e9)
