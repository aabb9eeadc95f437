"""What ``import alembic`` costs more where the plugin is installed.

    python -m benchmarks.startup [--rounds 60]

New processes take turns: in every other one Alembic does not find the plugin's entry point. Each
reads its own clock, and the time that it had a processor, around the import alone. The files are in
the system's cache, the modules compiled. On a busy machine the least of many rounds says most.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

from rich.console import Console
from rich.table import Table

_CHILD = """
import sys, time
from importlib import metadata
found = metadata.entry_points
metadata.entry_points = lambda **chosen: [
    one for one in found(**chosen) if one.module.partition(".")[0] != sys.argv[1]
]
wall, own = time.perf_counter(), time.process_time()
import alembic
own, wall = time.process_time() - own, time.perf_counter() - wall
print(wall * 1000, own * 1000, "alembic_fixups.plugin" in sys.modules)
"""


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    _import(with_plugin=True)
    taken = [(_import(with_plugin=False), _import(with_plugin=True)) for _ in range(rounds)]
    table = Table("by", "without, ms", "with, ms", "more, ms")
    for place, clock in enumerate(("the clock", "the processor")):
        for name, of in (("median", statistics.median), ("least", min)):
            without, with_it = (of(one[place] for one in each) for each in zip(*taken, strict=True))
            row = (without, with_it, with_it - without)
            table.add_row(f"{clock}, {name}", *(f"{number:.1f}" for number in row))
    Console().print(table)


def _import(*, with_plugin: bool) -> tuple[float, float]:
    """Milliseconds by the clock and of the processor."""
    hidden = "" if with_plugin else "alembic_fixups"
    said = subprocess.check_output([sys.executable, "-c", _CHILD, hidden], text=True)
    wall, own, found = said.split()
    if found != str(with_plugin):
        raise RuntimeError(f"the plugin {'is not' if with_plugin else 'is'} found by Alembic")
    return float(wall), float(own)


if __name__ == "__main__":
    main()
