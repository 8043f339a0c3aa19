"""The benchmark of a country runs at a size that a test can wait for: every act is answered, every figure is there."""

from __future__ import annotations

from benchmarks.ground import ground
from benchmarks.peak import ACTS, Asked, run


def test_a_small_country_s_morning_is_replayed_and_its_doses_set_beside_pgbench_s() -> None:
    with ground() as here:
        figures = run(
            here, Asked(sites=8, clients=160, years=0.06, seconds=2, doses=32, rounds=1, times=[3], past=(2, 40, 0.05))
        )

    told = {figure.what: figure.value for figure in figures}
    assert {f"{act} at 3 x the peak, p99" for act in ACTS} <= told.keys()
    assert told["CPU of both servers at 3 x the peak, for each dose with all around it"] > 0
    assert told["a dose adds to tables and indexes"] >= 0
    assert told["a client-year"] > 0
    assert told["the same rows by pgbench, 32 at once"] > 0
    assert told["pgbench's doses for each of ours"] > 0
    assert any(what.startswith("close of a day at 8 sites, ") for what in told)
    assert 0 < told["figures of the nation, 8 sites, median"] < 300
    assert any(what.startswith("verify, ") for what in told)
    assert told["memory of verify, most, beside what it began with"] > 0
    assert told["rows that verify named"] == 0, "the past is written as the program would have left it"
    assert told["downtime packs, 8 sites"] > 0
    assert told["judge health, 8 sites, once more, nothing due"] >= 0
