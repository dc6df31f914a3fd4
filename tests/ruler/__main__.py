"""Compare our event patterns with event-ruler: `python -m tests.ruler CHECKOUT [--pairs N] [--jars DIR]`.

CHECKOUT is a work tree of github.com/aws/event-ruler. A JDK and Debian's libjackson2-databind-java must be
there. Nothing of the ruler is kept: it is compiled into a temporary folder.
"""

import argparse
import base64
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import orjson

from mappings.pattern_numbers import decode_exactly, may_be_inexact
from mappings.pattern_wildcards import BOUND
from mappings.patterns import InvalidPattern, Pattern
from tests.ruler.questions import EVENTS_OF_A_PATTERN, Question, questions
from tests.ruler.reasons import CONTRADICTS, REFUSED, Difference, differences, one_by_one

NO_REASON = "NO REASON"
SHOWN = 30

# What the ruler needs besides Jackson: annotations without a meaning, and a reader of decimals.
STAND_INS = {
    f"javax/annotation/{name}.java": f"package {package}; public @interface {name.rpartition('/')[2]} {{}}"
    for package, names in {
        "javax.annotation": ("Nonnull", "Nullable"),
        "javax.annotation.concurrent": ("concurrent/Immutable", "concurrent/ThreadSafe"),
    }.items()
    for name in names
} | {
    "ch/randelshofer/fastdoubleparser/JavaBigDecimalParser.java": (
        "package ch.randelshofer.fastdoubleparser; public final class JavaBigDecimalParser { "
        "public static java.math.BigDecimal parseBigDecimal(String text) "
        "{ return new java.math.BigDecimal(text); } }"
    )
}


def main() -> int:
    """Print each kind of difference with an example; 1 if one has no reason."""
    parser = argparse.ArgumentParser(prog="python -m tests.ruler")
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--pairs", type=int, default=200_000)
    parser.add_argument("--jars", type=Path, default=Path("/usr/share/java"))
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    asking = list(questions(asked.seed, asked.pairs // EVENTS_OF_A_PATTERN))
    with tempfile.TemporaryDirectory() as build:
        ruler = Ruler(asked.checkout, asked.jars, Path(build))
        return _report(asking, ruler)


class Ruler:
    """event-ruler, compiled."""

    def __init__(self, checkout: Path, jars: Path, build: Path) -> None:
        for name, text in STAND_INS.items():
            (build / name).parent.mkdir(parents=True, exist_ok=True)
            (build / name).write_text(text)
        own = Path(__file__).with_name("Answer.java")
        sources = [*(checkout / "src/main").rglob("*.java"), *build.rglob("*.java"), own]
        self._path = f"{build / 'classes'}:{jars}/*"
        compiler = ["javac", "-nowarn", "-Xlint:none", "-cp", self._path, "-d", str(build / "classes")]
        subprocess.run([*compiler, *sources], check=True, stderr=subprocess.DEVNULL)

    def answers(self, asking: Sequence[Question]) -> list[str]:
        """Ask about all; a line for each."""
        lines = "".join(f"{' '.join(map(_encoded, (each.pattern, *each.events)))}\n" for each in asking)
        command = ["java", "-cp", self._path, "Answer", str(BOUND + 1)]
        found = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
        return found.stdout.splitlines()


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _answer(question: Question) -> str:
    """Return what we say, as the ruler's line says it."""
    try:
        pattern = Pattern.parse(question.pattern)
    except InvalidPattern:
        return REFUSED
    count = pattern.complexity
    complexity = BOUND + 1 if count is None else min(count, BOUND + 1)
    return f"{complexity} {''.join('01'[pattern.matches(_decoded(event))] for event in question.events)}"


def _decoded(text: str) -> object:
    return decode_exactly(text) if may_be_inexact(text) else orjson.loads(text)


def _report(asking: Sequence[Question], ruler: Ruler) -> int:
    theirs = ruler.answers(asking)
    found = [
        difference
        for question, answer in zip(asking, theirs, strict=True)
        for difference in differences(question, _answer(question), answer)
    ]
    reasons = [difference.reason or _contradiction(difference, ruler) or NO_REASON for difference in found]
    seen: Counter[str] = Counter()
    for difference, reason in zip(found, reasons, strict=True):
        seen[reason] += 1
        if seen[reason] <= (SHOWN if reason == NO_REASON else 1):
            print(f"{reason}\n{difference}")  # noqa: T201
    refused = sum(answer == REFUSED for answer in theirs)
    passed = sum(answer.partition(" ")[2].count("1") for answer in theirs)
    pairs = len(asking) * EVENTS_OF_A_PATTERN
    print(f"{pairs} pairs of {len(asking)} patterns, {refused} of them refused; {passed} pairs pass")  # noqa: T201
    for reason, count in seen.most_common():
        print(f"{count:8} {reason}")  # noqa: T201
    return 1 if seen[NO_REASON] else 0


def _contradiction(difference: Difference, ruler: Ruler) -> str | None:
    if difference.what != "decision":
        return None
    answers = ruler.answers(one_by_one(difference))
    passes = any(answer.endswith("1") for answer in answers)
    return CONTRADICTS if answers and passes is (difference.ours == "1") else None


if __name__ == "__main__":
    sys.exit(main())
