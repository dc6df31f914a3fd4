"""Which listed function a request to a function means, by name and Qualifier, and what that calls it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self, cast

from mappings.arns import FunctionName
from mappings.errors import InvalidParameterValueException, ResourceNotFoundException
from mappings.functions import Function, LambdaFunction, version_of
from mappings.home import NO_ACCOUNT, PARTITION, Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A function as a client names it."""

    name: FunctionName
    """With the qualifier, wherever that was given."""
    region: str
    """The caller's: where a function of AWS Lambda is whose name does not say it."""
    home: Home = field(default_factory=Home)
    """Where the functions of this process are."""

    @classmethod
    def of(cls, parameters: Mapping[str, object], region: str | None, home: Home) -> Self:
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
        asked = replace(name, qualifier=qualifier or name.qualifier)
        return cls(name=asked, region=region or home.region, home=home)

    @property
    def arn(self) -> str:
        """The ARN, qualified as asked."""
        return self.home.arn(self.name)

    def arn_of(self, qualifier: str) -> str:
        """Return the ARN with another qualifier."""
        return replace(self, name=replace(self.name, qualifier=qualifier)).arn

    def missing(self, arn: str) -> ResourceNotFoundException:
        """Return what AWS says where there is no such function; `arn` is what it calls it."""
        if self.name.region not in {None, self.home.region}:
            return ResourceNotFoundException(
                f"Functions from '{self.name.region}' are not reachable in this region ('{self.home.region}')"
            )
        return ResourceNotFoundException(f"Function not found: {arn}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What was asked for, found."""

    function: Function
    version: str
    """What a qualifier, or none, means."""
    arn: str
    """The function's own, qualified as asked."""
    qualifier: str | None


def resolve(asked: Asked, listed: Mapping[str, Function]) -> Resolved | None:
    """Find a listed function; None where there is no such function, version or alias."""
    function = listed.get(asked.name.name)
    if function is None or not _may_mean(asked, function):
        return None
    version = version_of(function, asked.name.qualifier)
    if version is None:
        return None
    arn = arn_of(
        function, asked.name, asked.home, region=asked.region, account=NO_ACCOUNT, partition=PARTITION
    )
    return Resolved(function=function, version=version, arn=arn, qualifier=asked.name.qualifier)


def arn_of(
    function: Function, name: FunctionName, home: Home, *, region: str, account: str, partition: str
) -> str:
    """Return the one ARN of a listed function, qualified as it is named.

    Args:
        function: What the file lists.
        name: How it is named.
        home: Where the functions of this process are.
        region: For what a function of AWS Lambda leaves out.
        account: The same, where the poller's own is not known.
        partition: The same.
    """
    if not isinstance(function, LambdaFunction):
        return home.arn(replace(name, name=function.name))
    own = replace(function.function, qualifier=function.function.qualifier or name.qualifier)
    return own.arn(region=region, account=home.account or account, partition=partition)


def _may_mean(asked: Asked, function: Function) -> bool:
    """Whether a name that says more than a bare one still means the listed function.

    A function of ours has the one ARN that we show. A function of AWS Lambda has one there: any other is
    another function's.
    """
    name = asked.name
    if not isinstance(function, LambdaFunction):
        return asked.home.holds(name)
    if name.is_local or name.account == NO_ACCOUNT:
        return True
    own = function.function
    return name.account == own.account and name.region in {None, own.region}
