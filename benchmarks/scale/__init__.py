"""The build at full size."""
