"""Work that is interrupted stops, and leaves everything usable."""

from __future__ import annotations

import _thread
import signal
import threading
from contextlib import contextmanager

import pytest

import scaling_jax as sj
from scaling_jax.fitting import members
from tests.cases.simulated import fit, same


def test_ctrl_c_between_dispatches_leaves_everything_usable(monkeypatch, best: sj.FitResult) -> None:
    @contextmanager
    def impatient(_):
        def update(done, total):
            raise KeyboardInterrupt

        yield update

    with monkeypatch.context() as patched:
        patched.setattr(members, "progress_bar", impatient)
        with pytest.raises(KeyboardInterrupt):
            fit()
    same(fit(), best)


def test_ctrl_c_in_the_middle_of_long_work_stops_it(best: sj.FitResult) -> None:
    stopped = threading.Event()

    def press() -> None:
        """Again and again, as a person would: Python drops an interrupt that lands inside a finaliser."""
        wait = 0.5
        while not stopped.wait(wait):
            _thread.interrupt_main()
            wait = 5.0

    finger = threading.Thread(target=press)
    # shells start background work with Ctrl-C ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    finger.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(starts=100_000, screen=False)
    finally:
        stopped.set()
        finger.join()
        signal.signal(signal.SIGINT, before)
    same(fit(), best)
