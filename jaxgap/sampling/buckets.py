"""Sizes that compiled programs come in, so that few are compiled and little is padded."""


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
