"""Hold the statistics of logs and of time to figures from papers, to worked examples, and to their own definitions."""

from __future__ import annotations

import numpy as np
import pytest
from trilemma_analysis.stats.agreement import cohen_kappa, judge_accuracy, krippendorff_alpha
from trilemma_analysis.stats.balance import check_sample_ratio
from trilemma_analysis.stats.hull import average_quality, convex_hull
from trilemma_analysis.stats.interrupted import measure_interruption
from trilemma_analysis.stats.mix import Groups, is_simpson, split_change, split_cost
from trilemma_analysis.stats.off_policy import Logs, check_overlap, value_doubly_robust, value_ips, value_snips
from trilemma_analysis.stats.prediction_powered import mean_with_judge
from trilemma_analysis.stats.reliability import pass_hat_k
from trilemma_analysis.stats.selection import shrink, split_winner
from trilemma_analysis.stats.sequences import betting_sequence, mixture_scale
from trilemma_analysis.stats.survival import kaplan_meier, restricted_mean, survival_at, survival_quantile

# Freireich et al. 1963, 6-mercaptopurine: weeks of remission, + for those still in it; the classic worked example.
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]


def test_kaplan_meier_counts_lines_as_so_many_units() -> None:
    """A line that stands for three units is the same as three lines."""
    counted = kaplan_meier([1, 2, 4], [True, False, True], [2, 3, 1])
    single = kaplan_meier([1, 1, 2, 2, 2, 4], [True, True, False, False, False, True])
    assert (counted.share == single.share).all()
    assert (counted.at_risk == single.at_risk).all()


def test_kaplan_meier_gives_the_textbooks_figures() -> None:
    """The shares in remission are those every textbook prints, and the median is 23 weeks."""
    curve = kaplan_meier(WEEKS, RELAPSED)
    assert curve.time.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert curve.share.round(4).tolist() == [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482]
    assert float(survival_quantile(curve, 0.5).estimate) == 23
    assert float(survival_quantile(curve, 0.5).low) == 13
    assert float(survival_quantile(curve, 0.9).estimate) == np.inf


def test_survival_before_the_first_end() -> None:
    """Before anything ended the share is 1, and its lower end that of 21 trials without one."""
    interval = survival_at(kaplan_meier(WEEKS, RELAPSED), 3)
    assert (float(interval.estimate), float(interval.high)) == (1, 1)
    assert float(interval.low) == pytest.approx(0.025 ** (1 / 21))


def test_restricted_mean_is_the_area() -> None:
    """Without censoring the restricted mean is the mean of the times cut at the horizon; beyond the data it refuses."""
    times = [1.0, 2.0, 4.0, 8.0]
    assert float(restricted_mean(kaplan_meier(times, [1, 1, 1, 1]), 5).estimate) == pytest.approx((1 + 2 + 4 + 5) / 4)
    with pytest.raises(ValueError, match="horizon 9 lies beyond 8"):
        restricted_mean(kaplan_meier(times, [1, 1, 1, 0]), 9)


def test_pass_hat_k_counts_draws_without_putting_back() -> None:
    """Of 4 trials with 3 successes, half of the pairs are all right: C(3,2) / C(4,2)."""
    assert float(pass_hat_k([3, 3], [4, 4], 2).estimate) == pytest.approx(0.5)
    assert float(pass_hat_k([4, 1, 1], [4, 4, 1], 2).estimate) == pytest.approx(0.5)  # one trial is no pair
    assert np.isnan(pass_hat_k([1], [1], 2).estimate)


def test_hull_leaves_out_what_a_mix_beats() -> None:
    """A corner below the line of its neighbours is none, nor is one that is dearer and no better."""
    hull = convex_hull([1, 2, 3, 4, 5], [0.5, 0.55, 0.8, 0.7, np.nan])
    assert hull.index.tolist() == [0, 2]
    assert float(hull.quality_at(2)) == pytest.approx(0.65)
    assert np.isnan(hull.quality_at(0.5))
    assert float(hull.quality_at(9)) == pytest.approx(0.8)


def test_average_quality_is_the_area_over_the_range() -> None:
    """From 0 to 4: nothing up to 1, a line from 0.5 to 0.8 up to 3, then 0.8."""
    hull = convex_hull([1, 3], [0.5, 0.8])
    assert average_quality(hull, 0, 4) == pytest.approx((0 + 2 * 0.65 + 0.8) / 4)
    with pytest.raises(ValueError, match="range of costs is empty"):
        average_quality(hull, 2, 2)


def test_kappa_and_alpha_give_their_papers_figures() -> None:
    """Cohen's kappa of a 2x2 table by hand; Krippendorff 2011 prints 0.095 for his two observers of ten items."""
    first, second = [0] * 20 + [0] * 5 + [1] * 10 + [1] * 15, [0] * 20 + [1] * 5 + [0] * 10 + [1] * 15
    assert float(cohen_kappa(first, second).estimate) == pytest.approx(0.4)
    meg = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    owen = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    assert float(krippendorff_alpha(np.transpose([meg, owen])).estimate) == pytest.approx(0.095, abs=0.0005)


def test_judge_that_says_yes_to_all() -> None:
    """A judge that always says yes finds every truth and no falsehood, and is worth nothing."""
    accuracy = judge_accuracy([1, 1, 1, 0], [1, 1, 1, 1])
    assert (float(accuracy.true_positive.estimate), float(accuracy.true_negative.estimate)) == (1, 0)
    assert accuracy.youden == 0


def test_perfect_judge_stands_for_all_labels() -> None:
    """With a judge that is always right, 50 labels and 5,000 judgements tell nearly as much as 5,050 labels."""
    rng = np.random.default_rng(1)
    truth = (rng.random(5050) < 0.7).astype(float)
    judged = mean_with_judge(truth[:50], truth[:50], truth[50:])
    assert judged.weight > 0.95
    assert judged.saved > 0.9
    width = float(judged.interval.high - judged.interval.low)
    assert width < 0.35 * float(judged.without_judge.high - judged.without_judge.low)
    assert float(judged.bias.estimate) == 0


def test_off_policy_by_hand() -> None:
    """Two runs: one the policy would have made twice as often, one never."""
    logs = Logs.of([1, 0] * 100, [0, 1] * 100, [0.5] * 200, [[1, 0]] * 200)
    assert logs.weight[:2].tolist() == [2, 0]
    for method in (value_ips, value_snips, value_doubly_robust):
        interval = method(logs).interval
        assert interval is not None
        assert float(interval.estimate) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("propensity", "target", "n", "words"),
    [
        (0.5, [0.5, 0.5], 20, "amount to 20"),
        (0.0005, [0.5, 0.5], 200, "below 0.001"),
        (0.5, [0.0, 0.0, 1.0], 200, "never made"),
        (0.9, [0.5, 0.5], 2000, "not those that chose"),
    ],
)
def test_off_policy_refuses(propensity: float, target: list[float], n: int, words: str) -> None:
    """Without support, with too few runs, or with probabilities that cannot be true there is no interval."""
    logs = Logs.of([1.0] * n, [0, 1] * (n // 2), [propensity] * n, [target] * n)
    assert words in check_overlap(logs).refusal
    assert value_snips(logs).interval is None


def test_off_policy_names_what_is_wrong() -> None:
    """A probability of 0 and rows that do not sum to 1 are named."""
    with pytest.raises(ValueError, match="logged probability is 0"):
        Logs.of([1], [0], [0], [[1, 0]])
    with pytest.raises(ValueError, match="sum to 1"):
        Logs.of([1], [0], [0.5], [[1, 1]])


def test_winner_is_measured_on_the_other_half() -> None:
    """The half that chooses does not measure."""
    values = np.array([[1.0, 0], [1, 0], [0, 1], [0, 0]])
    won = split_winner(values, [True, True, False, False])
    assert (won.index, won.apparent, float(won.interval.estimate)) == (0, 1, 0)


def test_shrinking_pulls_equals_together() -> None:
    """Candidates that differ by no more than chance are pulled most of the way to their mean; sure ones stay."""
    alike = shrink([0.1, -0.1, 0.05, -0.05, 0.0], [1.0] * 5)
    assert np.abs(alike.estimate).max() < 0.06
    sure = shrink([1.0, -1.0, 2.0, -2.0, 0.0], [0.01] * 5)
    assert sure.estimate == pytest.approx([1, -1, 2, -2, 0], abs=0.001)


def test_change_splits_without_rest() -> None:
    """Mix and rate add up to the change; where only the traffic moved, all is mix."""
    before, after = Groups.of_rates([80, 20], [72, 10]), Groups.of_rates([20, 80], [18, 40])
    split = split_change(before, after)
    assert float(split.rate.estimate) == pytest.approx(0)
    assert float(split.mix.estimate) == pytest.approx(float(split.total.estimate)) == pytest.approx(0.58 - 0.82)
    worse = split_change(before, Groups.of_rates([30, 70], [25, 30]))
    assert float(worse.mix.estimate + worse.rate.estimate) == pytest.approx(float(worse.total.estimate))


def test_group_that_is_new_is_mix() -> None:
    """A segment that only one period has changes the mix, not a rate."""
    split = split_change(Groups.of_rates([100, 0], [90, 0]), Groups.of_rates([100, 100], [90, 50]))
    assert float(split.rate.estimate) == pytest.approx(0)
    assert float(split.mix.estimate) == pytest.approx(-0.2)


def test_simpson_in_berkeley_numbers() -> None:
    """Charig et al. 1986: open surgery is better for small and large stones, and worse pooled."""
    open_surgery, percutaneous = Groups.of_rates([87, 263], [81, 192]), Groups.of_rates([270, 80], [234, 55])
    assert not is_simpson(open_surgery, percutaneous)  # turned round, but within chance at 700 patients
    tenfold = [Groups.of_rates(one.n * 10, one.n * one.mean * 10) for one in (open_surgery, percutaneous)]
    assert is_simpson(*tenfold)
    assert not is_simpson(tenfold[0], tenfold[0])


def test_cost_splits_without_rest() -> None:
    """Mix, amount and price add up to the change of the cost, and a change of one alone is that one."""
    parts = split_cost(([0.8, 0.2], [0.5, 0.5]), ([100, 400], [120, 500]), ([1, 5], [1, 4]))
    assert parts["mix"] + parts["amount"] + parts["price"] == pytest.approx(parts["total"])
    only = split_cost(([0.8, 0.2], [0.8, 0.2]), ([100, 400], [100, 400]), ([1, 5], [2, 5]))
    assert (only["mix"], only["amount"], only["price"]) == pytest.approx((0, 0, 80))


def test_sample_ratio_of_a_known_mismatch() -> None:
    """821,588 against 815,482 is the mismatch that Kohavi et al. 2020 work through (p 1.8e-6); 50 to 49 is none."""
    found = check_sample_ratio([821_588, 815_482], [1, 1])
    assert found.p_value == pytest.approx(1.8e-6, rel=0.05)
    assert found.is_mismatch
    assert not check_sample_ratio([50, 49], [1, 1]).is_mismatch
    with pytest.raises(ValueError, match="must be positive"):
        check_sample_ratio([1, 2], [1, 0])


def test_betting_sequence_closes_in() -> None:
    """The interval holds the mean, only ever shrinks but for its rounding, and refuses values outside its range."""
    seen = (np.random.default_rng(2).random(2000) < 0.3).astype(float)
    interval = betting_sequence(seen)
    assert interval.covers(0.3).all()
    assert (np.diff(interval.high) <= 1e-9).all()
    assert float(interval.high[-1] - interval.low[-1]) < 0.11
    with pytest.raises(ValueError, match="outside 0 to 1"):
        betting_sequence([2.0])


def test_mixture_scale_is_narrowest_where_asked() -> None:
    """No other rho gives a narrower interval at the moment it was chosen for."""

    def width(rho: float, t: int = 500) -> float:
        return float(np.sqrt(2 * (t * rho**2 + 1) / (t**2 * rho**2) * np.log(np.sqrt(t * rho**2 + 1) / 0.05)))

    best = mixture_scale(500)
    assert width(best) <= min(width(best * scale) for scale in (0.5, 0.9, 1.1, 2)) * 1.001


def test_interruption_needs_both_sides() -> None:
    """Fewer than 8 buckets on a side are refused by name."""
    with pytest.raises(ValueError, match="3 buckets before"):
        measure_interruption(np.zeros(30), 3)


def test_controls_that_move_are_told() -> None:
    """When the control jumps too, the effect is what is left, and the finding is marked as confounded."""
    rng = np.random.default_rng(3)
    step = (np.arange(60) >= 30) * 3.0
    found = measure_interruption(rng.normal(size=60) + step + 1 * (step > 0), 30, [rng.normal(size=60) + step])
    assert found.is_confounded
    assert found.effect.covers(1)
