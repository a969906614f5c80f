"""Two Triton kernels: a product that is counted where it is made, and exact sums of listed pairs.

They run on a GPU, or on the CPU in Triton's interpreter (TRITON_INTERPRET=1), as the tests do.
What their numbers mean and how wrong the first one's can be: `half_precision.py`.
"""

# What a kernel takes are pointers, descriptors and numbers of the GPU: no types of Python's.
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

import triton
import triton.language as tl


@triton.jit
def _product(
    images,
    names,
    row,
    column,
    DIM: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
):
    """float32 [BM, BN]: inner products of the images from `row` and the names from `column`."""
    sums = tl.zeros((BM, BN), dtype=tl.float32)
    for k in range(0, DIM, BK):
        sums = tl.dot(images.load([row, k]), names.load([column, k]).T, sums)
    return sums


@triton.jit
def products_kernel(
    images,
    names,
    out_ptr,
    width,
    DIM: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
):
    """Write the products themselves, float32 [rows, width]: for a sample of the names, and checks.

    images, names: descriptors of float16 [rows, DIM] and [columns, DIM] with blocks [BM, BK] and
    [BN, BK]. Grid: (rows / BM, columns / BN), both whole.
    """
    row = tl.program_id(0) * BM
    column = tl.program_id(1) * BN
    sums = _product(images, names, row, column, DIM, BM, BN, BK)
    rows = row + tl.arange(0, BM)
    columns = column + tl.arange(0, BN)
    at = rows.to(tl.int64)[:, None] * width + columns[None, :]
    tl.store(out_ptr + at, sums, mask=(columns < width)[None, :])


@triton.jit
def sift_kernel(
    images,
    names,
    low_ptr,
    high_ptr,
    floor_ptr,
    reached_ptr,
    length_ptr,
    words_ptr,
    first,
    stop,
    row_tiles,
    capacity,
    DIM: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
):
    """Count and list the names [first, stop) for every image; no product leaves the chip.

    With s the product of an image and a name, and low <= min(high, floor) of the image:

    - reached int32 [rows] += number of names with s >= low;
    - of those, a name with s <= high or s >= floor is listed, in words of 32 names: word int64
      w of words [rows, capacity] has the first of its columns in the upper half, and bit j of the
      lower half stands for the column j * (BN / 32) further. length int32 [rows] grows by one for
      each word, past `capacity` too: then what is listed is not all there is.

    images, names: descriptors of float16 [rows, DIM] and [columns, DIM] with blocks [BM, BK] and
    [BN, BK]; rows = row_tiles * BM. low, high, floor: float32 [rows]; +inf in all three for rows
    that are padding. Persistent: any number of programs shares the tiles.
    """
    # Columns that are this far apart are in one thread's registers in the matrix unit's layout for
    # BN = 256, so that packing them moves nothing.
    STRIDE: tl.constexpr = BN // 32
    tiles = row_tiles * tl.cdiv(stop - first, BN)
    # Tiles that run at the same time share their names (read from memory once) and differ in
    # their images, all of which stay in the L2 cache.
    for tile in tl.range(tl.program_id(0), tiles, tl.num_programs(0), flatten=True):
        row = (tile % row_tiles) * BM
        column = first + (tile // row_tiles) * BN
        sums = _product(images, names, row, column, DIM, BM, BN, BK)
        if column + BN > stop:  # NaN is on no side of anything
            sums = tl.where((column + tl.arange(0, BN) < stop)[None, :], sums, float("nan"))
        sums = tl.reshape(sums, (BM, 32, STRIDE))
        rows = row + tl.arange(0, BM)
        low = tl.load(low_ptr + rows)[:, None, None]
        high = tl.load(high_ptr + rows)[:, None, None]
        floor = tl.load(floor_ptr + rows)[:, None, None]
        reached = tl.sum(tl.sum(tl.where(sums >= low, 1, 0), axis=1), axis=1)
        tl.atomic_add(reached_ptr + rows, reached, sem="relaxed")
        # One comparison decides, for low <= floor: what is reached and below `high`, or above both.
        listed = sums >= tl.where(sums <= high, low, floor)
        bit = (tl.full((32,), 1, tl.int32) << tl.arange(0, 32))[None, :, None]
        word = tl.sum(tl.where(listed, bit, 0), axis=1)
        any_listed = word != 0
        lengths = tl.broadcast_to((length_ptr + rows)[:, None], (BM, STRIDE))
        place = tl.atomic_add(lengths, 1, mask=any_listed, sem="relaxed")
        columns = (column + tl.arange(0, STRIDE)).to(tl.int64)[None, :]
        tl.store(
            words_ptr + rows.to(tl.int64)[:, None] * capacity + place,
            (columns << 32) | (word.to(tl.int64) & 0xFFFFFFFF),
            mask=any_listed & (place < capacity),
        )


@triton.jit
def exact_kernel(
    images_ptr,
    names_ptr,
    rows_ptr,
    columns_ptr,
    head_ptr,
    tail_ptr,
    pairs,
    dim,
    BP: tl.constexpr,
    BK: tl.constexpr,
):
    """head and tail float64 [pairs] of the sum in `exact.py` for the pairs (rows[i], columns[i]).

    images, names: float32 [*, dim], contiguous; rows, columns: int32 [pairs]. Grid: pairs / BP.

    head is an exact sum, tail one whose error is bounded in any order: a GPU gives NumPy's head,
    and a tail that serves as well. Contracting a * b + 6 into one operation changes nothing, for
    the product is exact.
    """
    at = tl.program_id(0) * BP + tl.arange(0, BP)
    valid = at < pairs
    a_ptrs = images_ptr + tl.load(rows_ptr + at, mask=valid, other=0).to(tl.int64)[:, None] * dim
    b_ptrs = names_ptr + tl.load(columns_ptr + at, mask=valid, other=0).to(tl.int64)[:, None] * dim
    head = tl.zeros((BP, BK), dtype=tl.float64)
    tail = tl.zeros((BP, BK), dtype=tl.float64)
    for k in range(0, dim, BK):
        ks = (k + tl.arange(0, BK))[None, :]
        inside = valid[:, None] & (ks < dim)
        a = tl.load(a_ptrs + ks, mask=inside, other=0.0)
        b = tl.load(b_ptrs + ks, mask=inside, other=0.0)
        products = a.to(tl.float64) * b.to(tl.float64)
        on_grid = (products + 6.0) - 6.0
        head += on_grid
        tail += products - on_grid
    tl.store(head_ptr + at, tl.sum(head, axis=1), mask=valid)
    tl.store(tail_ptr + at, tl.sum(tail, axis=1), mask=valid)
