"""The build: stages from a GLDv2 source to a loadable dataset, their manifest and their runners."""
