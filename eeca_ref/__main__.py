"""`python -m eeca_ref`: the program `eeca`, as torchrun and the deepspeed launcher start it."""

from eeca_ref.cli import main

if __name__ == "__main__":
    main(prog_name="eeca")
