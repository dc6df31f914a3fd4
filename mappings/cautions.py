"""What is accepted of a mapping here, and perhaps not by AWS: it is said, and nothing is refused."""

from collections.abc import Iterator

from mappings.model import EventSourceMapping
from mappings.pattern_wildcards import BOUND
from mappings.patterns import Pattern

# "Filters per event source mapping" of an account; raised to `limits.MAXIMUM_FILTERS` on request.
QUOTA_FILTERS = 5


def cautions_of(mapping: EventSourceMapping) -> Iterator[str]:
    """Yield a sentence for each, with its field."""
    count = len(mapping.filter_patterns)
    if count > QUOTA_FILTERS:
        yield (
            f"FilterCriteria.Filters: {count} filters; at AWS a mapping may have {QUOTA_FILTERS} until the "
            "quota of the account is raised"
        )
    for index, text in enumerate(mapping.filter_patterns):
        for caution in _of_pattern(Pattern.parse(text)):
            yield f"FilterCriteria.Filters[{index}].Pattern: {caution}"


def _of_pattern(pattern: Pattern) -> Iterator[str]:
    complexity = pattern.complexity
    if complexity is None or complexity > BOUND:
        yield (
            f"one value may match more than {BOUND} beginnings of its wildcards: AWS may refuse it as too "
            "complex (its bound is not published; this one is ours)"
        )
    for operator in sorted(pattern.negations):
        yield (
            f"whether event source mappings of AWS accept {operator} inside anything-but is not known: "
            "EventBridge does, Pipes does not"
        )
