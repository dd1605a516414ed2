"""Landmarks follow the pixels they mark."""

import numpy as np
import pytest

from tfrecords_tools.errors import UserError
from tfrecords_tools.faces.alignment import Aligner, similarity
from tfrecords_tools.faces.boxes import Box, choose

HEIGHT, WIDTH = 300, 400


def brightest(image):
    """Centre of mass (x, y) of the one bright dot in an image, pixels' centres at whole numbers."""
    level = image[..., 0].astype(np.float64)
    level = np.maximum(level - 2, 0)
    assert level.sum() > 0
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(x * level).sum(), (y * level).sum()]) / level.sum()


def dotted(x, y):
    """A black image with a dot of 5x5 pixels around the pixel (x, y), and landmarks that all lie on it."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[y - 2 : y + 3, x - 2 : x + 3] = 255
    return image, np.full((68, 2), (x, y), np.float32)


BOXES = {
    "inside": (Box(120, 80, 220, 180), (150, 110)),
    "odd sides": (Box(121, 83, 214, 190), (150, 110)),
    "fractions": (Box(120.4, 80.7, 221.3, 179.2), (201, 171)),
    "small": (Box(150, 100, 190, 141), (160, 120)),
    "over the left border": (Box(-40, 100, 60, 200), (11, 150)),
    "over the right border": (Box(350, 100, 450, 200), (388, 150)),
    "over the upper border": (Box(100, -50, 200, 50), (150, 9)),
    "over the lower border": (Box(100, 250, 200, 350), (150, 289)),
    "over a corner": (Box(330, 240, 430, 330), (380, 285)),
    "larger than the image": (Box(-60, -60, 460, 360), (200, 150)),
}


@pytest.mark.parametrize("size", [96, 224])
@pytest.mark.parametrize("margin", [0, 0.1, 0.37])
@pytest.mark.parametrize("name", BOXES)
def test_a_dot_lies_where_its_landmark_says(name, size, margin):
    box, at = BOXES[name]
    image, landmarks = dotted(*at)
    face, points = Aligner(size, margin=margin)(image, box, landmarks)
    assert face.shape == (size, size, 3)
    assert face.dtype == np.uint8
    assert points.shape == (68, 2)
    assert points.dtype == np.float32
    np.testing.assert_allclose(points[0] * size - 0.5, brightest(face), atol=0.3)


def test_a_box_of_the_crops_size_is_cut_out_unchanged():
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    face, points = Aligner(96, margin=0)(image, Box(40, 70, 136, 166), np.full((68, 2), (40, 165), np.float32))
    np.testing.assert_array_equal(face, image[70:166, 40:136])
    np.testing.assert_allclose(points[0], [0.5 / 96, 95.5 / 96], atol=1e-6)


def test_the_margin_widens_the_box_on_each_side():
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    landmarks = np.full((68, 2), 100, np.float32)
    face, _ = Aligner(120, margin=0.1)(image, Box(50, 60, 150, 160), landmarks)
    np.testing.assert_array_equal(face, image[50:170, 40:160])


def test_an_oblong_box_gives_a_square_about_its_centre():
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    face, _ = Aligner(80, margin=0)(image, Box(100, 60, 140, 140), np.zeros((68, 2)))
    np.testing.assert_array_equal(face, image[60:140, 80:160])


@pytest.mark.parametrize(
    ("box", "left", "top"),
    [
        (Box(40, 70, 136, 166), 40, 70),
        (Box(40.4, 69.6, 136.4, 165.6), 40, 70),
        (Box(40, 70, 136, 165), 40, 70),  # 69.5 is rounded to the even number
        (Box(41, 71, 136, 167), 40, 71),  # and so is 40.5
        (Box(-3, 70, 93, 166), -3, 70),
        (Box(330, -9, 426, 87), 330, -9),
    ],
)
def test_a_crop_begins_at_the_pixel_of_the_box(box, left, top):
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    face, points = Aligner(96, margin=0)(image, box, np.zeros((68, 2)))
    bordered = np.pad(image, ((10, 10), (10, 50), (0, 0)), mode="edge")
    np.testing.assert_array_equal(face, bordered[top + 10 : top + 106, left + 10 : left + 106])
    np.testing.assert_allclose(points[0] * 96 - 0.5, (-left, -top), atol=1e-4)


def test_beyond_the_border_its_pixels_are_repeated():
    image = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    face, _ = Aligner(64, margin=0)(image, Box(-16, 10, 48, 74), np.zeros((68, 2)))
    np.testing.assert_array_equal(face[:, 16:], image[10:74, :48])
    np.testing.assert_array_equal(face[:, :16], np.repeat(image[10:74, :1], 16, axis=1))


# The five points of a face with the proportions of the template.
TEMPLATE = np.array([(0.31, 0.36), (0.69, 0.36), (0.50, 0.57), (0.35, 0.77), (0.65, 0.77)])


def face_of_anchors(anchors):
    """68 landmarks with these centres of the eyes, tip of the nose and corners of the mouth."""
    landmarks = np.tile(anchors.mean(0), (68, 1))
    circle = np.array([(np.cos(a), np.sin(a)) for a in np.arange(6) * np.pi / 3])
    landmarks[36:42], landmarks[42:48] = anchors[0] + 3 * circle, anchors[1] + 3 * circle
    landmarks[30], landmarks[48], landmarks[54] = anchors[2:]
    return landmarks.astype(np.float32)


def anchors_of(landmarks):
    return np.stack([landmarks[36:42].mean(0), landmarks[42:48].mean(0), *landmarks[[30, 48, 54]]])


@pytest.mark.parametrize("angle", [-40, 0, 25, 90])
@pytest.mark.parametrize("scale", [60, 96, 190])
def test_procrustes_lays_the_anchors_on_the_template(angle, scale):
    turn = np.array([[np.cos(np.radians(angle)), np.sin(np.radians(angle))],
                     [-np.sin(np.radians(angle)), np.cos(np.radians(angle))]])  # fmt: skip
    landmarks = face_of_anchors((TEMPLATE - 0.5) @ turn * scale + (210, 140))
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    face, points = Aligner(96, "procrustes")(image, Box(0, 0, 1, 1), landmarks)
    assert face.shape == (96, 96, 3)
    assert points.dtype == np.float32
    np.testing.assert_allclose(anchors_of(points), TEMPLATE, atol=1e-4)


@pytest.mark.parametrize("angle", [-40, 0, 25])
def test_procrustes_carries_pixels_and_landmarks_alike(angle):
    turn = np.array([[np.cos(np.radians(angle)), np.sin(np.radians(angle))],
                     [-np.sin(np.radians(angle)), np.cos(np.radians(angle))]])  # fmt: skip
    anchors = (TEMPLATE - 0.5) @ turn * 110 + (210, 140) + np.random.default_rng(0).normal(0, 3, (5, 2))
    landmarks = face_of_anchors(anchors)
    x, y = landmarks[54].round().astype(int)
    image, _ = dotted(x, y)
    landmarks[54] = x, y
    face, points = Aligner(96, "procrustes")(image, Box(0, 0, 1, 1), landmarks)
    np.testing.assert_allclose(points[54] * 96 - 0.5, brightest(face), atol=0.3)


def test_procrustes_neither_shears_nor_mirrors():
    rng = np.random.default_rng(1)
    landmarks = face_of_anchors((TEMPLATE - 0.5) * 100 + (200, 150) + rng.normal(0, 6, (5, 2)))
    landmarks[:17] = rng.uniform(100, 200, (17, 2))
    _, points = Aligner(96, "procrustes")(np.zeros((HEIGHT, WIDTH, 3), np.uint8), Box(0, 0, 1, 1), landmarks)
    before, after = landmarks[:17, None] - landmarks[None, :17], points[:17, None] - points[None, :17]
    ratio = np.linalg.norm(after, axis=-1)[0, 1:] / np.linalg.norm(before, axis=-1)[0, 1:]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)
    cross = lambda d: d[0, 1, 0] * d[0, 2, 1] - d[0, 1, 1] * d[0, 2, 0]  # noqa: E731
    assert np.sign(cross(before)) == np.sign(cross(after))


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        ({"size": 15}, "size"),
        ({"size": 1025}, "size"),
        ({"margin": -0.1}, "margin"),
        ({"margin": 1.5}, "margin"),
        ({"margin": float("nan")}, "margin"),
        ({"alignment": "affine"}, "alignment"),
    ],
)
def test_settings_out_of_range_are_errors(arguments, flag):
    (value,) = arguments.values()
    with pytest.raises(UserError, match=f"`{flag}` must be .*Received: {value}"):
        Aligner(**arguments)


def test_overlap_is_intersection_over_union():
    box = Box(0, 0, 10, 10)
    assert box.overlap(box) == 1
    assert box.overlap(Box(5, 0, 15, 10)) == pytest.approx(50 / 150)
    assert box.overlap(Box(10, 0, 20, 10)) == 0
    assert box.overlap(Box(20, 20, 30, 30)) == 0


def test_the_face_that_continues_is_chosen_before_a_larger_one():
    previous, moved, larger = Box(10, 10, 60, 60), Box(14, 12, 64, 62), Box(200, 0, 300, 100)
    assert choose([larger, moved], previous) == moved
    assert choose([larger, moved], None) == larger
    assert choose([larger], previous) == larger
    assert choose([], previous) is None


def nearest_rotation(points, target):
    """The rotation and scaling nearest to `target`, by trying all angles and taking the best scale of each."""
    found = []
    for angle in np.linspace(0, 2 * np.pi, 72_001):
        turned = points @ [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
        scale = max(0.0, (turned * target).sum() / (turned**2).sum())
        found.append((((scale * turned - target) ** 2).sum(), angle, scale))
    _, angle, scale = min(found)
    return scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def test_a_profile_is_turned_and_never_mirrored():
    # Five points of a face turned beyond the profile: of all orthogonal matrices, a reflection would fit best.
    target = np.array([(-0.19, -0.21), (0.19, -0.21), (0, 0), (-0.15, 0.2), (0.15, 0.2)])
    profile = target * (-0.3, 1) + [(0, 0), (0, 0), (0.3, 0), (0, 0), (0, 0)]
    profile -= profile.mean(0)
    u, _, v = np.linalg.svd(profile.T @ target)
    assert np.linalg.det(u @ v) < 0
    found = similarity(profile, target)
    assert np.linalg.det(found) > 0
    np.testing.assert_allclose(found, nearest_rotation(profile, target), atol=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_a_similarity_is_the_nearest_of_all_rotations(seed):
    random = np.random.default_rng(seed)
    points, target = (values - values.mean(0) for values in random.normal(size=(2, 5, 2)))
    np.testing.assert_allclose(similarity(points, target), nearest_rotation(points, target), atol=1e-3)
