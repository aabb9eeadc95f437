"""fleetshift: plans how a company's applications move to the cloud, for many clients at once."""
