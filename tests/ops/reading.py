"""Reads metrics as a scraper does."""

from collections.abc import Iterable, Mapping

from prometheus_client.parser import text_string_to_metric_families

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    """Every sample by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(found: Samples, name: str, **labels: str) -> float:
    """The one sample of a name that has these labels, whatever others it has."""
    (only,) = values(found, name, **labels)
    return only


def values(found: Samples, name: str, **labels: str) -> list[float]:
    """All samples of a name that have these labels."""
    return [
        number for (named, has), number in found.items() if named == name and has >= frozenset(labels.items())
    ]


def names(found: Iterable[tuple[str, frozenset[tuple[str, str]]]]) -> set[str]:
    """The names of samples."""
    return {name for name, _ in found}
