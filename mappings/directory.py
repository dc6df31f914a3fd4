"""Which function a FunctionName means in this process, and which may be invoked at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mappings.arns import FunctionName
from mappings.functions import Function, LambdaFunction, version_of


@dataclass(slots=True)
class FunctionDirectory:
    """The functions that mapping files define, and whether others of AWS Lambda may be invoked besides."""

    listed: Mapping[str, Function] = field(default_factory=dict)
    functions_only: bool = False

    def find(self, function_name: str) -> Function | None:
        """Return the function that a client may name; None where it does not exist, or not for clients.

        Clients name a function of AWS Lambda by its ARN: a bare name that is not listed is a mistake.
        """
        name = FunctionName.parse(function_name)
        if self._entry(name) is None and name.is_local:
            return None
        return self.of_file(function_name)

    def of_file(self, function_name: str) -> Function | None:
        """Return the function that a mapping file may name: also one of AWS Lambda by its bare name."""
        name = FunctionName.parse(function_name)
        entry = self._entry(name)
        if entry is not None:
            return None if version_of(entry, name.qualifier) is None else entry
        if self.functions_only and name not in self._listed_of_lambda:
            return None
        return LambdaFunction(name=function_name, function=name)

    def serves(self, name: str) -> bool:
        """Whether a bare name, with a qualifier after a colon where it has one, means a listed function."""
        bare, _, qualifier = name.partition(":")
        entry = self.listed.get(bare)
        return entry is not None and version_of(entry, qualifier or None) is not None

    @property
    def _listed_of_lambda(self) -> list[FunctionName]:
        """The functions of AWS Lambda behind listed names."""
        return [each.function for each in self.listed.values() if isinstance(each, LambdaFunction)]

    def _entry(self, name: FunctionName) -> Function | None:
        """Return the listed function that a name means.

        The ARN of a function that is no function of AWS Lambda can only be one that we have shown. Of one
        that is, an ARN says more than the list: it means what it says.
        """
        entry = self.listed.get(name.name)
        return None if isinstance(entry, LambdaFunction) and not name.is_local else entry
