"""Lin et al.'s fine-tuning curves are the original ones."""

from __future__ import annotations

from tests.datasets.upstream import assert_same, loaded, needs_data, tidy


@needs_data
def test_the_table_is_the_original_and_every_curve_has_15_sizes():
    frame = loaded("finetuning")
    assert_same(frame, tidy("rectified/finetune_losses.csv"))
    assert frame.groupby(["dataset", "model"]).size().eq(15).all() and frame["model"].nunique() == 30
