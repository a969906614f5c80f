"""MGLD as a task of inspect_ai: `inspect eval mgld/mgld -T data=DATA --model MODEL`.

Questions, prompt, judges and metrics are those of `mgld answer` and `mgld grade`; inspect brings
the models, the log and its viewer. Needs mgld's extra `inspect`.
"""
