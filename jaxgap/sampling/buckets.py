"""Bucket sizes for compiled programs, so that few are compiled with little padding."""

from jaxgap.sharding import even_rows


def bucket(size: int) -> int:
    """The smallest of 8, 12, 16, 24, 32, 48, 64, ... that is at least `size`.

    >>> [bucket(size) for size in (0, 8, 9, 45, 49, 100)]
    [8, 8, 12, 48, 64, 128]
    """
    power = 8
    while power < size:
        power *= 2
    smaller = 3 * power // 4
    return smaller if power > 8 and smaller >= size else power


def row_bucket(num_rows: int) -> int:
    """The smallest power of two >= `num_rows`, rounded up to divide evenly over the mesh.

    >>> [row_bucket(num_rows) for num_rows in (1, 4, 5)]
    [1, 4, 8]
    """
    return even_rows(1 << (num_rows - 1).bit_length())
