"""How the width multiplier changes one layer."""


def scaled(units: int, width: float) -> int:
    """Returns `units` times `width`, rounded, and at least 1."""
    return max(1, round(units * width))
