"""`python -m tests.leases [ROUNDS]`: all pairs of mishaps within so many rounds, for several clocks."""

import sys
import time

from tests.leases.explore import Plan, explore

CLOCKS = [(1.0, 1.0, 1.0), (0.8, 1.2, 1.0), (1.2, 0.8, 1.0), (0.85, 1.0, 1.25)]


def main() -> int:
    """Explore and report; the exit code tells whether anything was found."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    found = 0
    for rates in CLOCKS:
        begun = time.monotonic()
        report = explore(Plan(rates=rates, mishaps=2, rounds=rounds))
        found += len(report.problems)
        sys.stdout.write(
            f"clocks {rates}: {report.worlds} worlds, {report.healed} on their way back, "
            f"{len(report.problems)} problems, {time.monotonic() - begun:.0f} s\n"
        )
        sys.stdout.writelines(f"  {problem}\n" for problem in report.problems)
        sys.stdout.flush()
    return 1 if found else 0


sys.exit(main())
