"""Where the functions of this process are: what their ARNs say of region, account and partition."""

from dataclasses import dataclass

from mappings.arns import FunctionName

# A function of ours belongs to no account; emulators write the same.
NO_ACCOUNT = "000000000000"
DEFAULT_REGION = "us-east-1"
PARTITION = "aws"
_PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov", "us-iso": "aws-iso", "us-isob": "aws-iso-b"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """One process, as an address of functions."""

    region: str = DEFAULT_REGION
    account: str | None = None
    """The account of the poller's own credentials; None where it is not known."""

    @property
    def partition(self) -> str:
        return _PARTITIONS.get(self.region.rpartition("-")[0].rpartition("-")[0], PARTITION)

    def holds(self, name: FunctionName) -> bool:
        """Return whether a name leaves open where its function is, or says that it is here."""
        return (
            name.region in {None, self.region}
            and name.account in {None, NO_ACCOUNT}
            and name.partition in {None, self.partition}
        )

    def arn(self, name: FunctionName) -> str:
        """Return the one ARN of a function that runs here, qualified as its name is."""
        return name.arn(region=self.region, account=NO_ACCOUNT, partition=self.partition)
