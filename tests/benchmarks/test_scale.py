"""What bends is told by the slope over the large sizes alone."""

import pytest

from benchmarks.scale import Row, slope


def row(services: int, seconds: float) -> Row:
    return Row(
        services=services,
        seconds=seconds,
        services_per_s=services / seconds,
        events_each=48,
        history_kib_each=41,
        root_events=122,
        most_events=1259,
        most_kib=1517,
        worker_mib=276,
        worker_kib_each=96,
        worker_cpu_ms_each=103,
    )


@pytest.mark.parametrize(("last", "told"), [(600.0, 1.0), (6000.0, 2.0), (60.0, 0.0)])
def test_the_slope_is_that_of_the_largest_over_a_hundred(last: float, told: float) -> None:
    rows = [row(1, 1), row(10, 2), row(100, 60), row(1000, last)]
    assert slope(rows, lambda one: one.seconds) == told


def test_one_large_size_has_no_slope() -> None:
    assert slope([row(10, 2), row(100, 60)], lambda one: one.seconds) is None
