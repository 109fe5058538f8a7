"""Own ``make calibrate``: every scenario ten thousand times, into the table that is analysis/calibration.md."""

from __future__ import annotations

import sys
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.analysis.stats.scenarios import SCENARIOS, SIZES

if TYPE_CHECKING:
    from tests.analysis.stats.scenarios import Scenario

REPLAYS, AT_ONCE = 10_000, 500
NOISE = 3.0
TABLE = Path(__file__).parents[3] / "analysis" / "calibration.md"

HEAD = f"""# Calibration

Made by `make calibrate`: each line is a planted truth, replayed {REPLAYS:,} times at n = {", ".join(map(str, SIZES))}.
Coverage is the share of 95 % intervals that hold the truth; an error is the share of replays with a false claim where
5 % are allowed. The simulation itself is uncertain by {NOISE * np.sqrt(0.05 * 0.95 / REPLAYS) * 100:.2f} points (three
standard errors). **Bold**: outside what is promised by more than that. The scenarios are
`tests/analysis/stats/scenarios.py`; `make test` runs each a thousand times.

| method | planted truth | what | promised | n = 50 | n = 200 | n = 1,000 |
| --- | --- | --- | --- | ---: | ---: | ---: |
"""


def main() -> int:
    """Run all scenarios, write the table, and return 1 if any strays from what it promises.

    With --missing, scenarios that have a line in the table keep it: for one that was added, not for a changed method.
    """
    lines, strayed, started = [], 0, time.monotonic()
    known = _read_lines() if "--missing" in sys.argv[1:] else {}
    for count, scenario in enumerate(SCENARIOS, 1):
        if (line := known.get(_write_head(scenario))) is not None:
            lines.append(line)
            continue
        shares = {n: measure(scenario, n) for n in scenario.sizes}
        astray = {n: is_astray(scenario, share) for n, share in shares.items()}
        strayed += sum(astray.values())
        lines.append(write_line(scenario, shares, astray))
        print(f"[{count}/{len(SCENARIOS)} {time.monotonic() - started:.0f} s] {lines[-1]}", flush=True)
    TABLE.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {TABLE.name}; {strayed} figure(s) outside what is promised")
    return int(strayed > 0)


def measure(scenario: Scenario, n: int) -> float:
    """Return the share of replays in which it was so."""
    rng = np.random.default_rng(zlib.crc32(f"{scenario.method}{scenario.truth}{n}full".encode()))
    hits = [scenario.run(rng, n, AT_ONCE) for _ in range(REPLAYS // AT_ONCE)]
    return float(np.concatenate(hits).mean())


def is_astray(scenario: Scenario, share: float) -> bool:
    """Return whether a share is outside the promise by more than the noise of the simulation."""
    error = NOISE * np.sqrt(0.05 * 0.95 / REPLAYS)
    return not scenario.least - error <= share <= scenario.most + error


def write_line(scenario: Scenario, shares: dict[int, float], astray: dict[int, bool]) -> str:
    """Return one line of the table; a scenario that sets its own n has its figure in the last column."""
    if scenario.sizes == (0,):
        shares, astray = {SIZES[-1]: shares[0]}, {SIZES[-1]: astray[0]}
    cells = [_write_share(shares.get(n), strayed=astray.get(n, False)) for n in SIZES]
    return f"{_write_head(scenario)} {' | '.join(cells)} |"


def promise(scenario: Scenario) -> str:
    """Say what share is promised."""
    least, most = f"{scenario.least * 100:g}", f"{scenario.most * 100:g}"
    if scenario.most == 1.0:
        return "(for comparison)" if scenario.least == 0 else f"at least {least} %"
    return f"at most {most} %" if scenario.least == 0 else f"{least} to {most} %"


def _write_head(scenario: Scenario) -> str:
    return f"| {scenario.method} | {scenario.truth} | {scenario.what} | {promise(scenario)} |"


def _read_lines() -> dict[str, str]:
    """Return the lines of the committed table, by what stands before their figures."""
    lines = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return {f"{'|'.join(line.split('|')[:5])}|": line for line in lines}


def _write_share(share: float | None, *, strayed: bool) -> str:
    if share is None:
        return ""
    return f"**{share * 100:.1f} %**" if strayed else f"{share * 100:.1f} %"


if __name__ == "__main__":
    sys.exit(main())
