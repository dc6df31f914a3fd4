"""Which function a FunctionName means in this process, and which may be invoked at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mappings.arns import EventSource, FunctionName
from mappings.functions import Function, LambdaFunction, version_of
from mappings.home import Home
from mappings.resolution import arn_of


@dataclass(slots=True)
class FunctionDirectory:
    """The functions that mapping files define, and whether others of AWS Lambda may be invoked besides."""

    listed: Mapping[str, Function] = field(default_factory=dict)
    functions_only: bool = False
    home: Home = field(default_factory=Home)
    """Where the functions of this process are."""

    def find(self, function_name: str) -> Function | None:
        """Return the function that a client may name; None where it does not exist, or not for clients.

        Clients name a function of AWS Lambda by its ARN: a bare name that is not listed is a mistake.
        """
        name = FunctionName.parse(function_name)
        if name.is_local and name.name not in self.listed:
            return None
        return self.of_file(function_name)

    def of_file(self, function_name: str) -> Function | None:
        """Return the function that a mapping file may name: also one of AWS Lambda by its bare name."""
        name = FunctionName.parse(function_name)
        entry = self._entry(name)
        if entry is not None:
            known = self.is_here(name) and version_of(entry, name.qualifier) is not None
            return entry if known else None
        if self.functions_only and name not in self._listed_of_lambda:
            return None
        return LambdaFunction(name=function_name, function=name)

    def serves(self, name: str) -> bool:
        """Whether a bare name, with a qualifier after a colon where it has one, means a listed function."""
        bare, _, qualifier = name.partition(":")
        entry = self.listed.get(bare)
        return entry is not None and version_of(entry, qualifier or None) is not None

    def is_here(self, name: FunctionName) -> bool:
        """Return whether a name that a file lists, as no function of AWS Lambda, can mean that function.

        It has one ARN, which says that it is here: the same name elsewhere is another function.
        """
        return isinstance(self._entry(name), LambdaFunction | None) or self.home.holds(name)

    def arn_of(self, function_name: str, source: EventSource) -> str:
        """Return the one ARN of a function that a mapping names: what is invoked for it.

        A bare name of AWS Lambda is in the region of the source and the poller's own account, or the source's
        where that is not known.
        """
        name = FunctionName.parse(function_name)
        where = {"region": source.region, "account": source.account, "partition": source.partition}
        entry = self._entry(name)
        if entry is None or not self.is_here(name):
            return name.arn(**{**where, "account": self.home.account or source.account})
        return arn_of(entry, name, self.home, **where)

    @property
    def _listed_of_lambda(self) -> list[FunctionName]:
        """The functions of AWS Lambda behind listed names."""
        return [each.function for each in self.listed.values() if isinstance(each, LambdaFunction)]

    def _entry(self, name: FunctionName) -> Function | None:
        """Return the listed function that a name means.

        Of a function of AWS Lambda an ARN says more than the list: it means what it says.
        """
        entry = self.listed.get(name.name)
        return None if isinstance(entry, LambdaFunction) and not name.is_local else entry
