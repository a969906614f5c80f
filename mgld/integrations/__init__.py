"""MGLD as a task of other evaluation harnesses, each in a package of its own."""
