"""What the variables of the Serverless Framework stand for: `${self:custom.queue}`, `${opt:stage, 'dev'}`."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from mappings.errors import InvalidFile, shown
from mappings.readers.answers import FileAnswers
from mappings.readers.conversion import text_of
from mappings.readers.folder import Folder
from mappings.readers.found import Endless, Unresolved, all_of
from mappings.readers.intrinsics import MAXIMUM_TEXT
from mappings.readers.loading import load_documents

_DEFAULT_STAGE = "dev"
_DEFAULT_REGION = "us-east-1"
# What only looks like a variable is left to `Fn::Sub`: ${AWS::Region}, ${Queue.Arn}.
_START = re.compile(r"\$\{\s*[A-Za-z]+(:(?!:)|\()")
_SOURCE = re.compile(r"(?P<kind>[A-Za-z]+)(:(?!:)(?P<address>.*)|\(.*)", re.DOTALL)
# A source in any text: what stands between the braces, or between commas.
_MENTIONED = re.compile(r"(?<=[{,\s])[A-Za-z]+(?:\([^()]*\))?:[^,{}\s\"']+")
_FILE = re.compile(r"file\((?P<name>[^)]*)\)(?::(?P<address>.*))?", re.DOTALL)
_DATA = {"yml", "yaml", "json"}
_PROGRAMS = {"js", "cjs", "mjs", "ts"}
COMPILED = (
    "import what the framework makes of the service: serverless package, then "
    ".serverless/cloudformation-template-update-stack.json"
)
_NO_VALUE = "has no value and no default"
# Far more than a real file needs; values that refer to values could ask for any number.
_MAXIMUM_STEPS = 10_000
_LITERALS: Mapping[str, object] = {"true": True, "false": False, "null": None}
_MISSING = object()
# What another service means something else by, under the same address.
_OWN = {"self", "file"}


class Variables:
    """The variables of one serverless.yml."""

    def __init__(self, document: Mapping[str, object], answers: FileAnswers, folder: Folder) -> None:
        self._document = document
        self._answers = answers
        self._folder = folder
        self._files: dict[str, object] = {}  # what the files of the folder hold, by name
        self._open: list[str] = []
        self._steps = 0
        self._sources: Mapping[str, Callable[[str], object]] = {
            "self": self._self,
            "opt": self._option,
            "param": self._parameter,
            "sls": self._framework,
            "aws": self._account,
            "env": lambda _: _MISSING,  # the environment is that of a deployment, which only an answer knows
        }

    def resolve(self, value: object) -> object:
        """Return plain data with every variable in it replaced; raise Unresolved."""
        match value:
            case str():
                return self._resolved_text(value)
            case Mapping():
                values = all_of(partial(self.resolve, item) for item in value.values())
                return dict(zip(value, values, strict=True))
            case list():
                return all_of(partial(self.resolve, item) for item in value)
            case _:
                return value

    def _resolved_text(self, text: str) -> object:
        found = self.text(text)
        if not isinstance(found, Mapping | list):
            return found
        with self._opened(text):
            return self.resolve(found)

    def text(self, text: str) -> object:
        """Return what a text means: any data where it is one variable, else a text.

        An object or a list keeps the variables inside of it: not all of them may be needed.
        """
        if not _START.search(text):
            return text
        with self._opened(text):
            parts = all_of(self._parts(text))
        if len(parts) == 1:
            return parts[0]
        joined = "".join(_as_text(part, text) for part in parts)
        if len(joined) > MAXIMUM_TEXT:
            raise Unresolved(f"its text has more than {MAXIMUM_TEXT} characters")
        return joined

    @contextmanager
    def _opened(self, text: str) -> Iterator[None]:
        """Refuse a text inside of itself, and a text that leads to too many others."""
        self._steps = self._steps + 1 if self._open else 1
        if text in self._open or self._steps > _MAXIMUM_STEPS:
            raise Endless(f"{text} refers to itself, or to too much")
        self._open.append(text)
        try:
            yield
        finally:
            self._open.pop()

    def mention(self, text: str) -> None:
        """Say what the variables of a text ask for, and the options that the framework always has."""
        names = {"stage", "region"}
        for source in _MENTIONED.findall(text):
            names |= {source, source.partition(":")[2]}
        self._answers.mention(names.__contains__)

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
        reason = "names nothing in the folder, and has no default" if kind.startswith("file(") else _NO_VALUE
        raise Unresolved.asking(f"${{{first}}}", reason, name)

    def _source(self, source: str) -> object:
        if len(source) > 1 and source[0] == source[-1] and source[0] in "'\"":
            return source[1:-1]
        if source.startswith("${") or (found := _SOURCE.fullmatch(source)) is None:
            value = self.text(source)
            return _LITERALS.get(value, value) if isinstance(value, str) else value
        kind = found["kind"]
        if kind == "strToBool":
            return _as_boolean(source, self.text(source.removeprefix("strToBool(").removesuffix(")")))
        source = _as_text(self.text(source), source)
        answer = self._answers.get(source, own=kind in _OWN)
        if answer is not None:
            return answer
        if kind == "file" and (file := _FILE.fullmatch(source)) is not None:
            return self._file(source, file["name"].strip(), file["address"])
        if kind not in self._sources or found["address"] is None:
            raise Unresolved.asking(f"${{{source}}}", "is looked up on deployment", source)
        return self._sources[kind](source.partition(":")[2].strip())

    def _file(self, source: str, name: str, address: str | None) -> object:
        """Return what a file of the folder holds, or what is at an address in it."""
        suffix = name.rpartition(".")[2]
        if suffix in _PROGRAMS:
            raise Unresolved.asking(f"${{{source}}}", f"is a program and is not run; {COMPILED}", source)
        if name not in self._files:
            try:
                text = self._folder.text(name)
                documents = load_documents(text) if text is not None and suffix in _DATA else [text]
            except InvalidFile as error:
                reason = f"{error.problems[0]}; {COMPILED}"
                raise Unresolved.asking(f"${{{source}}}", reason, source) from None
            self.mention(text or "")
            self._files[name] = documents[0] if documents else None
        content = self._files[name]
        return _MISSING if content is None else self._at(content, address) if address else content

    def _self(self, address: str) -> object:
        return self._at(self._document, address)

    def _at(self, value: object, address: str) -> object:
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
        if isinstance(value, str):
            value = self.text(value)
        return _MISSING if value is None else value

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


def _as_boolean(source: str, value: object) -> object:
    """Return what strToBool makes of a text, as the framework does."""
    text = _as_text(value, source).strip("'\"").lower() if value is not None else ""
    if text in {"true", "1"}:
        return True
    if text in {"false", "0", "", "null", "undefined"}:
        return False
    raise Unresolved(f"{source}: true, false, 1 or 0 is expected, not {shown(value)}")


def _as_text(value: object, text: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return text_of(value)
    raise Unresolved(f"{text} needs a text where it is given {shown(value)}")
