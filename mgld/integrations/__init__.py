"""MGLD where users already are: tasks of other harnesses, exports in shared formats."""
