"""What a spreadsheet would compute is text for it, numbers stay numbers, and our own readers take it back."""

import pytest

from tfrecords_tools.files.spreadsheet_cells import quoted, unquoted


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1+1", "'+1+1"),
        ("-video", "'-video"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("-0.5", "-0.5"),
        ("+1e-3", "+1e-3"),
        (-3, "-3"),
        ("", ""),
        ("ann's", "ann's"),
        ("'ann", "'ann"),
    ],
)
def test_a_cell(value, cell):
    assert quoted(value) == cell
    assert unquoted(cell) == str(value)
