"""The reference trainer of EECA (the paper, section 4.2): model, losses and data so far."""
