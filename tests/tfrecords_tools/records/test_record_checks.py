"""The fast check of a file's faces: it may be unsure of a good one, and never passes one that does not decode."""

import cv2
import numpy as np
import pytest

from tfrecords_tools.records.record_checks import are_faces

SIDE = 32
FORMS = {
    "as packed": [],
    "grey": [],
    "colours as fine": [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444],
    "colours at half the width": [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422],
    "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    "own tables": [cv2.IMWRITE_JPEG_OPTIMIZE, 1],
    "restarts": [cv2.IMWRITE_JPEG_RST_INTERVAL, 1],
}


def encoded(form, seed=0, side=SIDE):
    rough = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), np.uint8)
    face = cv2.resize(rough, (side, side), interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".jpg", face[..., 0] if form == "grey" else face, FORMS[form])[1].tobytes()


def decodes(jpeg):
    face = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    return face is not None and face.shape == (SIDE, SIDE, 3)


def damaged(jpeg, random):
    """Return it with a few bits flipped, or bytes lost, cut off, doubled, or made a marker."""
    data = bytearray(jpeg)
    for _ in range(random.integers(1, 4)):
        at, kind = int(random.integers(2, len(data))), random.integers(5)
        if kind == 0:
            data[at] ^= 1 << int(random.integers(8))
        elif kind == 1:
            del data[at : at + int(random.integers(1, 20))]
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            data[at:at] = data[2 : 2 + int(random.integers(2, 200))]
        else:
            data[at : at + 2] = bytes([0xFF, int(random.integers(0xC0, 0xFF))])
        if len(data) < 3:
            break
    return bytes(data)


@pytest.mark.parametrize("form", FORMS)
def test_good_faces_pass_and_others_do_not(form):
    faces = [encoded(form, seed) for seed in range(4)]
    assert are_faces(faces, SIDE)
    assert not are_faces([*faces, b""], SIDE)
    assert not are_faces([*faces, encoded(form, side=SIDE + 1)], SIDE)
    assert not are_faces([*faces, faces[0][: len(faces[0]) // 3]], SIDE)


@pytest.mark.parametrize("form", FORMS)
def test_no_damaged_face_passes_that_does_not_decode(form, capfd):
    random, whole, wrong = np.random.default_rng(7), encoded(form), 0
    for _ in range(500):
        face = damaged(whole, random)
        wrong += not decodes(face)
        assert decodes(face) or not are_faces([whole, face], SIDE), face.hex()
    assert wrong > 50
    capfd.readouterr()  # what the decoder says of each
