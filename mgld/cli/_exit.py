"""The end of the program, which Arrow's threads must not spoil."""

from __future__ import annotations

import gc
import sys
import time

SECONDS = 0.1


def let_arrow_settle() -> None:
    """Give Arrow's threads a moment to let go of Python objects, before the interpreter ends.

    A scan that is over may still release its file in a thread. Once the interpreter is ending, a
    thread that asks for it is ended by force, which C++ answers with "terminate called without an
    active exception" and exit code 134, although all work was done (apache/arrow issue 34314,
    huggingface/datasets issue 7566). Seen once in some hundred runs of `mgld`.
    """
    if "pyarrow" in sys.modules:
        gc.collect()
        time.sleep(SECONDS)
