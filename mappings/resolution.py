"""Which listed function a request to a function means, by name and Qualifier, and what that calls it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self, cast

from mappings.arns import FunctionName
from mappings.errors import InvalidParameterValueException
from mappings.functions import Function, LambdaFunction, version_of

# A function of ours belongs to no account; emulators write the same.
NO_ACCOUNT = "000000000000"
DEFAULT_REGION = "us-east-1"
PARTITION = "aws"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A function as a client names it."""

    name: FunctionName
    """With the qualifier, wherever that was given."""
    region: str
    """For what the name itself leaves out."""

    @classmethod
    def of(cls, parameters: Mapping[str, object], region: str | None) -> Self:
        """Read FunctionName and Qualifier of a request; `region` is the caller's.

        Raises InvalidParameterValueException where the two contradict each other.
        """
        name = FunctionName.parse(cast("str", parameters["FunctionName"]))
        qualifier = cast("str | None", parameters.get("Qualifier"))
        if None not in {name.qualifier, qualifier} and name.qualifier != qualifier:
            raise InvalidParameterValueException(
                "The derived qualifier from the function name does not match the specified qualifier.",
                field="Qualifier",
            )
        return cls(name=replace(name, qualifier=qualifier or name.qualifier), region=region or DEFAULT_REGION)

    @property
    def arn(self) -> str:
        """The ARN, qualified as asked."""
        return self.name.arn(region=self.region, account=NO_ACCOUNT, partition=PARTITION)

    def arn_of(self, qualifier: str) -> str:
        """Return the ARN with another qualifier."""
        return replace(self, name=replace(self.name, qualifier=qualifier)).arn


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What was asked for, found."""

    function: Function
    version: str
    """What a qualifier, or none, means."""
    arn: str
    """Qualified as asked."""
    qualifier: str | None


def resolve(asked: Asked, listed: Mapping[str, Function]) -> Resolved | None:
    """Find a listed function; None where there is no such function, version or alias."""
    function = listed.get(asked.name.name)
    if function is None or not _may_mean(asked.name, function):
        return None
    version = version_of(function, asked.name.qualifier)
    if version is None:
        return None
    return Resolved(function=function, version=version, arn=asked.arn, qualifier=asked.name.qualifier)


def _may_mean(name: FunctionName, function: Function) -> bool:
    """Whether a name that says more than a bare one still means the listed function.

    The ARN of a function that is ours is one that we have shown. A function of AWS Lambda has an ARN there,
    too: any other than its own is another function.
    """
    if name.is_local or not isinstance(function, LambdaFunction) or name.account == NO_ACCOUNT:
        return True
    own = function.function
    return name.account == own.account and name.region in {None, own.region}
