"""What a change of botocore changes in the service models that this program is held against."""
