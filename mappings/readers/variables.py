"""What the variables of the Serverless Framework stand for: `${self:custom.queue}`, `${opt:stage, 'dev'}`."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from mappings.errors import shown
from mappings.readers.answers import FileAnswers
from mappings.readers.conversion import text_of
from mappings.readers.found import Endless, Unresolved, all_of
from mappings.readers.intrinsics import MAXIMUM_TEXT

_DEFAULT_STAGE = "dev"
_DEFAULT_REGION = "us-east-1"
# What only looks like a variable is left to `Fn::Sub`: ${AWS::Region}, ${Queue.Arn}.
_START = re.compile(r"\$\{\s*[A-Za-z]+(:(?!:)|\()")
_SOURCE = re.compile(r"(?P<kind>[A-Za-z]+)(:(?!:)(?P<address>.*)|\(.*)", re.DOTALL)
# Far more than a real file needs; values that refer to values could ask for any number.
_MAXIMUM_STEPS = 10_000
_LITERALS: Mapping[str, object] = {"true": True, "false": False, "null": None}
_MISSING = object()
# What another service means something else by, under the same address.
_OWN = {"self", "file"}


class Variables:
    """The variables of one serverless.yml."""

    def __init__(self, document: Mapping[str, object], answers: FileAnswers) -> None:
        self._document = document
        self._answers = answers
        self._open: list[str] = []
        self._steps = 0
        self._sources: Mapping[str, Callable[[str], object]] = {
            "self": self._self,
            "opt": self._option,
            "param": self._parameter,
            "sls": self._framework,
            "aws": self._account,
        }

    def resolve(self, value: object) -> object:
        """Return plain data with every variable in it replaced; raise Unresolved."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                values = all_of(partial(self.resolve, item) for item in value.values())
                return dict(zip(value, values, strict=True))
            case list():
                return all_of(partial(self.resolve, item) for item in value)
            case _:
                return value

    def text(self, text: str) -> object:
        """Return what a text means: any data where it is one variable, else a text."""
        if not _START.search(text):
            return text
        self._steps = self._steps + 1 if self._open else 1
        if text in self._open or self._steps > _MAXIMUM_STEPS:
            raise Endless(f"{text} refers to itself, or to too much")
        self._open.append(text)
        try:
            parts = all_of(self._parts(text))
        finally:
            self._open.pop()
        if len(parts) == 1:
            return parts[0]
        joined = "".join(_as_text(part, text) for part in parts)
        if len(joined) > MAXIMUM_TEXT:
            raise Unresolved(f"its text has more than {MAXIMUM_TEXT} characters")
        return joined

    def stage(self) -> object:
        return self.text(f"${{opt:stage, self:provider.stage, '{_DEFAULT_STAGE}'}}")

    def region(self) -> object:
        return self.text(f"${{opt:region, self:provider.region, '{_DEFAULT_REGION}'}}")

    def _parts(self, text: str) -> Iterator[Callable[[], object]]:
        position = 0
        while found := _START.search(text, position):
            if found.start() > position:
                yield partial(str, text[position : found.start()])
            end = _end_of_variable(text, found.start())
            yield partial(self._first_known, text[found.start() : end])
            position = end
        if position < len(text):
            yield partial(str, text[position:])

    def _first_known(self, variable: str) -> object:
        """Return the first source of a variable that has a value; the later ones are its defaults."""
        sources = list(_split(variable[2:-1]))
        for source in sources:
            value = self._source(source.strip())
            if value is not _MISSING:
                return value
        first = sources[0].strip()
        kind, _, address = first.partition(":")
        name = address if kind in {"opt", "param"} else first
        raise Unresolved.asking(f"${{{first}}}", "has no value and no default", name)

    def _source(self, source: str) -> object:
        if len(source) > 1 and source[0] == source[-1] and source[0] in "'\"":
            return source[1:-1]
        if source.startswith("${") or (found := _SOURCE.fullmatch(source)) is None:
            value = self.text(source)
            return _LITERALS.get(value, value) if isinstance(value, str) else value
        source = _as_text(self.text(source), source)
        answer = self._answers.get(source, own=found["kind"] in _OWN)
        if answer is not None:
            return answer
        if found["kind"] not in self._sources or found["address"] is None:
            raise Unresolved.asking(f"${{{source}}}", "is looked up on deployment", source)
        return self._sources[found["kind"]](source.partition(":")[2].strip())

    def _self(self, address: str) -> object:
        value: object = self._document
        for step in address.split("."):
            if isinstance(value, str):
                value = self.text(value)
            match value:
                case Mapping() if step in value:
                    value = value[step]
                case list() if step.isdecimal() and int(step) < len(value):
                    value = value[int(step)]
                case _:
                    return _MISSING
        return _MISSING if value is None else self.resolve(value)

    def _option(self, address: str) -> object:
        answer = self._answers.get(address)
        return _MISSING if answer is None else answer

    def _parameter(self, address: str) -> object:
        answer = self._answers.get(address)
        if answer is not None:
            return answer
        value = self._self(f"params.{self.stage()}.{address}")
        return self._self(f"params.default.{address}") if value is _MISSING else value

    def _framework(self, address: str) -> object:
        if address == "stage":
            return self.stage()
        raise Unresolved.asking(f"${{sls:{address}}}", "is known only on deployment", f"sls:{address}")

    def _account(self, address: str) -> object:
        if address == "region":
            return self.region()
        answer = self._answers.get("AWS::AccountId") if address == "accountId" else None
        if answer is None:
            raise Unresolved.asking(f"${{aws:{address}}}", "is known only on deployment", f"aws:{address}")
        return answer


def _end_of_variable(text: str, start: int) -> int:
    depth = 0
    for position in range(start, len(text)):
        if text.startswith("${", position):
            depth += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return position + 1
    raise Unresolved(f"{shown(text)} has a variable without an end")


def _split(content: str) -> Iterator[str]:
    """Split at the commas that stand outside of quotes and of inner variables."""
    depth, quote, start = 0, "", 0
    for position, char in enumerate(content):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "{}":
            depth += 1 if char == "{" else -1
        elif char == "," and depth == 0:
            yield content[start:position]
            start = position + 1
    yield content[start:]


def _as_text(value: object, text: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return text_of(value)
    raise Unresolved(f"{text} needs a text where it is given {shown(value)}")
