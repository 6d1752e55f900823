"""`make bench`: what each group of things costs, against its goals. `make bench GROUP=reading` asks one; exit 1 if one is missed.

Not part of the tests: a figure depends on the machine, and on what else it does.
"""

from __future__ import annotations

import sys

from tests.bench import export, issuing, lists, reading, record, years
from tests.bench.figures import show

GROUPS = {
    "export": export.figures,
    "reading": reading.figures,
    "issuing": issuing.figures,
    "record": record.figures,
    "lists": lists.figures,
    "years": years.figures,
}


def main(asked: list[str]) -> int:
    unknown = [name for name in asked if name not in GROUPS]
    if unknown:
        print(f"There is no group {unknown[0]}; there are {', '.join(GROUPS)}.", file=sys.stderr)
        return 2
    missed = False
    for name in asked or GROUPS:
        measured = GROUPS[name]()
        show(name, measured)
        missed = missed or any(one.missed for one in measured)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
