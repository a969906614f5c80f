"""The trainer: DeepSpeed's engine, exact steps, checkpoints that can be resumed bit for bit."""
