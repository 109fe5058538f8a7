"""Hold the statistics to figures printed in papers and in the project's plan, and to their own definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats
from trilemma_analysis.stats.clustered import clustered_rate, design_effect
from trilemma_analysis.stats.exact import paired_noninferiority_p, unpaired_noninferiority_p
from trilemma_analysis.stats.intervals import jeffreys, wilson
from trilemma_analysis.stats.moments import collect_moments
from trilemma_analysis.stats.multiplicity import benjamini_hochberg, holm
from trilemma_analysis.stats.noninferiority import (
    PairTable,
    compare_paired,
    compare_unpaired,
    more_pairs_needed,
    pairs_needed,
    power_of,
)
from trilemma_analysis.stats.paired import bonett_price, mcnemar_exact, score_interval, score_z, tango
from trilemma_analysis.stats.quantiles import QuantileRanks, quantile_ranks
from trilemma_analysis.stats.ratios import ratio_of_sums, share_of_sums
from trilemma_analysis.stats.unpaired import independent_score_z, miettinen_nurminen, newcombe

TRINOMIAL = np.array([-1.0, 0.0, 1.0])


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_newcombes_figures(successes: int, n: int, low: float, high: float) -> None:
    """Wilson's interval is that of Newcombe 1998, Statistics in Medicine 17:857, table I, method 3."""
    interval = wilson(successes, n)
    assert (round(float(interval.low), 4), round(float(interval.high), 4)) == (low, high)


def test_jeffreys_is_the_beta_posterior() -> None:
    """Jeffreys' interval has the posterior's quantiles inside and closes at 0 and n."""
    inside, none, all_ = jeffreys(7, 20), jeffreys(0, 20), jeffreys(20, 20)
    assert stats.beta.cdf([inside.low, inside.high], 7.5, 13.5) == pytest.approx([0.025, 0.975])
    assert (none.low, all_.high) == (0, 1)


def test_newcombe_gives_its_papers_figures() -> None:
    """For 56/70 against 48/80 Newcombe 1998, 17:873, table II, prints 0.0524 to 0.3339 (method 10)."""
    interval = newcombe(48, 80, 56, 70)
    assert (round(float(interval.low), 4), round(float(interval.high), 4)) == (0.0524, 0.3339)


def test_miettinen_nurminen_gives_newcombes_figures() -> None:
    """For 56/70 against 48/80 the same table prints 0.0528 to 0.3382 (method 6)."""
    interval = miettinen_nurminen(48, 80, 56, 70)
    assert (round(float(interval.low), 4), round(float(interval.high), 4)) == (0.0528, 0.3382)


@pytest.mark.parametrize(("gains", "losses", "n", "null"), [(3, 9, 60, -0.05), (0, 0, 50, -0.05), (20, 2, 40, 0.1)])
def test_score_variance_is_the_constrained_maximum_of_likelihood(gains: int, losses: int, n: int, null: float) -> None:
    """On single trials the score statistic uses the likeliest trinomial with the hypothesised difference."""

    def minus_likelihood(p_gain: float) -> float:
        cells = np.array([p_gain, p_gain - null, 1 - 2 * p_gain + null])
        return -float(
            np.sum(
                [
                    c * math.log(max(p, 1e-300))
                    for c, p in zip((gains, losses, n - gains - losses), cells, strict=True)
                    if c
                ]
            )
        )

    bounds = (max(0.0, null) + 1e-12, (1 + null) / 2 - 1e-12)
    p_gain = float(
        optimize.minimize_scalar(minus_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    )
    z = (gains - losses - n * null) / math.sqrt(n * (2 * p_gain - null - null**2))
    assert float(score_z(TRINOMIAL, [losses, n - gains - losses, gains], null)) == pytest.approx(z, abs=1e-4)


def test_tango_ends_where_the_score_test_rejects() -> None:
    """At the ends of Tango's interval the score statistic is the normal quantile."""
    interval = tango(4, 12, 90)
    z = score_z(TRINOMIAL, [[12, 74, 4]] * 2, [float(interval.low), float(interval.high)])
    assert z == pytest.approx([1.959964, -1.959964], abs=1e-5)


def test_bonett_price_adds_one_pair_to_each_discordant_cell() -> None:
    """Bonett-Price is Wald's interval with one gain and one loss more in n + 2."""
    p, q, n = 5 / 92, 13 / 92, 92
    half = 1.959964 * math.sqrt((p + q - (p - q) ** 2) / n)
    interval = bonett_price(4, 12, 90)
    assert [float(interval.low), float(interval.high)] == pytest.approx([p - q - half, p - q + half], abs=1e-6)


def test_repeats_that_agree_are_single_trials() -> None:
    """Inputs tried ten times with the same outcome each time say no more than inputs tried once."""
    once = score_interval(TRINOMIAL, [12, 74, 4])
    finer = score_interval(np.linspace(-1, 1, 21), [12, *[0] * 9, 74, *[0] * 9, 4])
    assert (float(once.low), float(once.high)) == pytest.approx((float(finer.low), float(finer.high)))


def test_mcnemar_is_the_binomial_tail() -> None:
    """With 10 losses and 2 gains the one-sided p-value is P(Bin(12, 1/2) >= 10)."""
    assert float(mcnemar_exact(2, 10)) == pytest.approx((66 + 12 + 1) / 4096)


def test_no_loss_in_59_pairs_rules_out_five_points() -> None:
    """Without a discordant pair the exact p-value is (1 - margin)^n: 59 pairs are the fewest for 5 points at 5 %."""
    assert paired_noninferiority_p(0, 0, 59, 0.05) == pytest.approx(0.95**59, abs=1e-5)
    assert paired_noninferiority_p(0, 0, 58, 0.05) > 0.05 > paired_noninferiority_p(0, 0, 59, 0.05)


@pytest.mark.parametrize("discordance", [0.05, 0.08, 0.15, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("n", [30, 55, 70])
def test_paired_gate_never_errs_too_often(n: int, discordance: float) -> None:
    """Over all outcomes, the chance to call safe what is worse by the margin is at most 5 %, at any discordance."""
    p_gain, p_loss = (discordance - 0.05) / 2, (discordance + 0.05) / 2
    size = sum(
        stats.multinomial.pmf([g, s, n - g - s], n, [p_gain, p_loss, 1 - discordance])
        for g in range(n + 1)
        for s in range(n + 1 - g)
        if paired_noninferiority_p(g, s, n, 0.05) <= 0.05
    )
    assert size <= 0.05


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8, 0.95, 1.0])
def test_unpaired_gate_never_errs_too_often(rate: float) -> None:
    """The same for 40 runs against 25 others."""
    p = np.array([[unpaired_noninferiority_p(a, 40, b, 25, 0.05) for b in range(26)] for a in range(41)])
    chance = np.outer(stats.binom.pmf(range(41), 40, rate), stats.binom.pmf(range(26), 25, rate - 0.05))
    assert float(chance[p <= 0.05].sum()) <= 0.05


@pytest.mark.parametrize(
    ("margin", "discordance", "planned"),
    [
        (0.05, 0.114, 282),
        (0.03, 0.114, 784),
        (0.02, 0.114, 1763),
        (0.05, 0.2, 495),
        (0.03, 0.2, 1375),
        (0.02, 0.2, 3092),
    ],
)
def test_planning_figures(margin: float, discordance: float, planned: int) -> None:
    """Pairs for one-sided 5 %, power 80 %, no difference; the plan's "11 %" is 11.4 %, and it rounded z to 1.645."""
    assert abs(pairs_needed(margin, discordance) - planned) <= 1


def test_planned_pairs_have_the_power() -> None:
    """The power of the planned number is the power planned for, and no number shows what is beyond the margin."""
    assert power_of(pairs_needed(0.05, 0.2), 0.05, 0.2) == pytest.approx(0.8, abs=1e-3)
    with pytest.raises(ValueError, match="not within the margin"):
        pairs_needed(0.05, 0.2, difference=-0.05)


def test_what_was_seen_counts_in_the_plan() -> None:
    """Without data the plan is the usual one; bad luck so far takes more inputs, good luck fewer."""
    assert abs((more_pairs_needed(0.05, 0.2, 0, 0.0) or 0) - pairs_needed(0.05, 0.2)) <= 1
    even, unlucky, lucky = (more_pairs_needed(0.05, 0.2, 200, seen) or 0 for seen in (0.0, -0.04, 0.04))
    assert lucky < even < unlucky
    assert even < pairs_needed(0.05, 0.2)


def test_plan_after_data_has_the_power() -> None:
    """After 150 inputs at -3 points, so many more at no difference call the candidate safe in 80 % of replays."""
    rng = np.random.default_rng(8)
    n, seen, discordance = 150, -0.03, 0.2
    more = more_pairs_needed(0.05, discordance, n, seen) or 0
    extra = rng.multinomial(more, [0.1, 0.8, 0.1], size=2000)
    counts = extra + np.array([(discordance - seen) / 2, 1 - discordance, (discordance + seen) / 2]) * n
    safe = score_z(TRINOMIAL, counts, -0.05) >= stats.norm.isf(0.05)
    assert float(safe.mean()) == pytest.approx(0.8, abs=0.03)


def test_design_effect_of_copies_is_their_number() -> None:
    """Four runs an input with one outcome each count as one; independent runs as themselves."""
    copies = np.repeat([0.0, 4.0], 200)
    assert float(design_effect(collect_moments(copies, np.full(400, 4.0)))) == pytest.approx(4, rel=0.01)
    singles = np.repeat([0.0, 1.0], 200)
    assert float(clustered_rate(collect_moments(singles, np.ones(400))).effective_n) == 400


def test_ratio_of_a_constant_is_certain() -> None:
    """A fixed price has no interval; nothing spent costs 0; no success costs without bound."""
    cost = ratio_of_sums(collect_moments(np.full(50, 0.25), np.ones(50)))
    assert [float(cost.low), float(cost.estimate), float(cost.high)] == pytest.approx([0.25] * 3)
    free = ratio_of_sums(collect_moments(np.zeros(50), np.ones(50)))
    assert (float(free.estimate), float(free.high)) == (0, 0)
    failed = ratio_of_sums(collect_moments(np.ones(50), np.zeros(50)))
    assert (float(failed.low), float(failed.estimate), float(failed.high)) == (0, math.inf, math.inf)


@pytest.mark.parametrize(
    ("n", "level", "ranks"),
    [
        (10, 0.5, (2, 5, 9)),
        (50, 0.5, (18, 25, 33)),
        (71, 0.95, (63, 68, None)),
        (73, 0.95, (65, 70, 73)),
        (1, 0.5, (None, 1, None)),
    ],
)
def test_quantile_ranks(n: int, level: float, ranks: tuple[int | None, int, int | None]) -> None:
    """The median of 10 lies between ranks 2 and 9 (Conover 1999); a p95 has an upper bound from 72 values on."""
    assert quantile_ranks(n, level) == QuantileRanks(*ranks)


def test_alike_runs_widen_a_quantile() -> None:
    """With a design effect of 4 the ranks of 400 values are as far apart as those of 100, stretched."""
    assert quantile_ranks(400, 0.5, design_effect=4) == QuantileRanks(160, 200, 244)


def test_holm_and_benjamini_hochberg() -> None:
    """Both give the textbook's adjusted p-values, in the order they came."""
    p = [0.01, 0.04, 0.03, 0.005]
    assert holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert benjamini_hochberg(p) == pytest.approx([0.02, 0.04, 0.04, 0.02])


def test_paired_and_unpaired_tests_agree_on_direction() -> None:
    """A candidate that loses 30 of 200 inputs is worse, and not safe, on the same inputs and on others."""
    same = compare_paired(PairTable(TRINOMIAL, np.array([30.0, 170.0, 0.0]), single=True), 0.05)
    other = compare_unpaired((180, 200), (150, 200), 0.05)
    for test in (same, other):
        assert test.p_worse < 0.01
        assert test.p_noninferior > 0.9
        assert float(test.difference.estimate) == pytest.approx(-0.15)


def test_large_samples_use_the_score_test_without_a_jump() -> None:
    """Beyond the exact limit the p-value is the score test's, close to the exact one just below it."""
    below = compare_paired(PairTable(TRINOMIAL, np.array([1000.0, 18_200.0, 800.0]), single=True), 0.0135)
    above = compare_paired(PairTable(TRINOMIAL, np.array([1000.0, 18_201.0, 800.0]), single=True), 0.0135)
    assert below.p_noninferior == pytest.approx(above.p_noninferior, rel=0.1)
    assert float(independent_score_z(9000, 30_000, 9000, 30_000, 0.0)) == 0


def test_share_stays_between_0_and_1() -> None:
    """The interval of a share is within 0 and 1, and open on the far side where all or none were seen."""
    one_source = share_of_sums(collect_moments(np.array([300.0, 0, 0]), np.array([301.0, 1, 1])))
    assert 0 < float(one_source.low) < 300 / 303 < float(one_source.high) <= 1
    none = share_of_sums(collect_moments(np.zeros(100), np.ones(100)))
    assert (float(none.low), float(none.estimate)) == (0, 0)
    assert float(none.high) == pytest.approx(1 - 0.025**0.01)
