"""The reference trainer of EECA (the paper, sections 5 and 6). Not written yet: see the README."""
