"""Compile the sift kernel for a Hopper GPU, which needs none, and print what came out as JSON."""

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from mgld.scoring.triton_engine import Tiles
from mgld.scoring.triton_kernels import sift_kernel

DIM = 768


def compile_sift(tiles):
    half = {"images": tiles.rows, "names": tiles.columns}
    types = {name: f"tensordesc<fp16[{rows},{tiles.depth}]>" for name, rows in half.items()}
    types |= dict.fromkeys(("low_ptr", "high_ptr", "floor_ptr"), "*fp32")
    types |= {"reached_ptr": "*i32", "length_ptr": "*i32", "words_ptr": "*i64"}
    types |= dict.fromkeys(("first", "stop", "row_tiles", "capacity"), "i32")
    constants = {"DIM": DIM, "BM": tiles.rows, "BN": tiles.columns, "BK": tiles.depth}
    types |= dict.fromkeys(constants, "constexpr")
    aligned = [i for i, (name, kind) in enumerate(types.items()) if kind.startswith("*")]
    return triton.compile(
        ASTSource(
            fn=sift_kernel,
            signature=types,
            constexprs=constants,
            attrs={(i,): [["tt.divisibility", 16]] for i in aligned},
        ),
        target=GPUTarget("cuda", 90, 32),
        options={"num_warps": tiles.warps, "num_stages": tiles.stages},
    )


def main():
    tiles = Tiles(*map(int, sys.argv[1:]))
    kernel = compile_sift(tiles)
    tools = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
    with TemporaryDirectory() as folder:
        binary = Path(folder) / "sift.cubin"
        binary.write_bytes(kernel.asm["cubin"])

        def dump(what):
            command = [tools / "cuobjdump", what, binary]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout

        usage, sass = dump("--dump-resource-usage"), dump("--dump-sass")
    facts = {
        "registers": int(re.search(r"REG:(\d+)", usage)[1]),
        "stack_bytes": int(re.search(r"STACK:(\d+)", usage)[1]),
        "shared_bytes": kernel.metadata.shared,
        "wgmma": len(re.findall(r"\bHGMMA\.", sass)),
        "tensor_copies": len(re.findall(r"\bUTMALDG\.", sass)),
        "instructions": len(re.findall(r"/\*[0-9a-f]{4,5}\*/\s", sass)),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
