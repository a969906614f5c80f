"""The paper's tables as data, and what its own numbers say of each other."""
