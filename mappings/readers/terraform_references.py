"""Which function of a plan a mapping refers to, through variables and outputs of modules."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_FUNCTION = "aws_lambda_function"
_ALIAS = "aws_lambda_alias"
# `aws_lambda_function.f`, `aws_lambda_function.f[0].arn`, `aws_lambda_alias.live["a"]`
_RESOURCE = re.compile(rf"({_FUNCTION}|{_ALIAS})\.([A-Za-z0-9_-]+)(\[[^\]]*\])?")
_OUTPUT = re.compile(r"module\.([A-Za-z0-9_-]+)(\[[^\]]*\])?\.([A-Za-z0-9_-]+)")
_VARIABLE = re.compile(r"var\.([A-Za-z0-9_-]+)")
# Modules in modules: more than anybody nests, and few enough to be followed at once.
_MAXIMUM_STEPS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A module of a plan: its configuration, its address, and the call that makes it."""

    configuration: Mapping[str, object]
    address: str = ""
    parent: "Module | None" = None
    arguments: Mapping[str, object] = field(default_factory=dict)

    def expressions_of(self, address: str) -> Mapping[str, object]:
        """Return what the configuration sets of a resource, which it names without an index."""
        for each in _objects(self.configuration.get("resources")):
            if each.get("address") == address:
                return _object(each.get("expressions"))
        return {}

    def child(self, address: str) -> "Module":
        """Return the module of an address that begins with this one's."""
        prefix = f"{self.address}." if self.address else ""
        call = address.removeprefix(prefix).removeprefix("module.").partition("[")[0]
        found = _object(_object(self.configuration.get("module_calls")).get(call))
        return Module(
            configuration=_object(found.get("module")),
            address=address,
            parent=self,
            arguments=_object(found.get("expressions")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions:
    """The functions and aliases of a plan, by address."""

    values: Mapping[str, Mapping[str, object]]

    @classmethod
    def of(cls, resources: Iterable[Mapping[str, object]]) -> "Functions":
        return cls(
            values={
                str(each.get("address")): _object(each.get("values"))
                for each in resources
                if str(each.get("type")) in {_FUNCTION, _ALIAS} and each.get("mode") == "managed"
            }
        )

    def name_of(self, module: Module, expression: object, index: object) -> str | None:
        """Return the name of the one function that an expression refers to; None where it is not one alone.

        `index` is that of the resource with the expression: with for_each both have the same.
        """
        names = {self._name_at(module, address) for address in self._addresses(module, expression, index, 0)}
        return names.pop() if len(names) == 1 else None

    def _name_at(self, module: Module, address: str) -> str | None:
        values = self.values[address]
        if f"{_ALIAS}." not in address:
            return _text(values.get("function_name"))
        written = _text(values.get("function_name"))
        if written is None:
            within = _within(module, address.rpartition(f"{_ALIAS}.")[0].rstrip("."))
            name, _, index = address.rpartition(f"{_ALIAS}.")[2].partition("[")
            expression = within.expressions_of(f"{_ALIAS}.{name}").get("function_name")
            written = self.name_of(within, expression, index.strip('"]') or None)
        alias = _text(values.get("name"))
        return None if written is None or alias is None else f"{written}:{alias}"

    def _addresses(self, module: Module, expression: object, index: object, step: int) -> Iterator[str]:
        if step > _MAXIMUM_STEPS:
            return
        for reference in _strings(_object(expression).get("references")):
            if found := _RESOURCE.match(reference):
                kind, name, own = found.groups()
                yield from self._instance(module, f"{kind}.{name}", own, index)
            elif found := _OUTPUT.match(reference):
                call, own, output = found.groups()
                child = module.child(f"{module.address}.module.{call}".lstrip(".") + (own or ""))
                outputs = _object(child.configuration.get("outputs"))
                inner = _object(_object(outputs.get(output)).get("expression"))
                yield from self._addresses(child, inner, None, step + 1)
            elif (found := _VARIABLE.match(reference)) and module.parent is not None:
                yield from self._addresses(module.parent, module.arguments.get(found[1]), index, step + 1)

    def _instance(self, module: Module, name: str, own: str | None, index: object) -> Iterator[str]:
        """Yield the address of the instance that is meant: by its index, the common one, or the only one."""
        base = f"{module.address}.{name}".lstrip(".")
        common = f'["{index}"]' if isinstance(index, str) else f"[{index}]"
        for suffix in (own or "", common, ""):
            if f"{base}{suffix}" in self.values:
                yield f"{base}{suffix}"
                return
        instances = [address for address in self.values if address.startswith(f"{base}[")]
        if len(instances) == 1:
            yield instances[0]


def _within(module: Module, address: str) -> Module:
    """Return the module of an address, which is the given one or one that it reaches."""
    if module.address == address:
        return module
    root = module
    while root.parent is not None:
        root = root.parent
    found = root
    for call in re.findall(r'module\.[A-Za-z0-9_-]+(?:\["[^"]*"\]|\[\d+\])?', address):
        found = found.child(f"{found.address}.{call}".lstrip("."))
    return found


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _objects(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
