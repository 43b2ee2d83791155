from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from norface.errors import ConfigError
from norface.imaging.alignment import Alignment
from norface.labels import EMOTIONS
from norface.synthetic import COMMON, FaceFactors, FaceSource, Identity, ProceduralFaces, draw_identity
from norface.synthetic.identity import identity_names
from norface.synthetic.rig import RIGGED_AUS

# Where each action unit must change the normalized face, in centimetres from the point between the eyes:
# half width, lowest and highest place.
BROWS, EYES, NOSE, MOUTH = (7.0, 0.5, 8.0), (7.0, -4.5, 3.0), (5.5, -8.5, 4.5), (7.5, -14.5, -2.0)
REGION = {1: BROWS, 2: BROWS, 4: BROWS, 5: EYES, 6: EYES, 7: EYES, 43: EYES, 9: NOSE}


def share_inside(change: np.ndarray, region: tuple[float, float, float]) -> float:
    template = Alignment().template()
    scale = (template[1, 0] - template[0, 0]) / 6.3
    middle = template[:2].mean(0)
    rows, columns = np.mgrid[0:64, 0:64]
    x, y = (columns - middle[0]) / scale, (middle[1] - rows) / scale
    half_width, low, high = region
    return float(change[(np.abs(x) < half_width) & (y > low) & (y < high)].sum() / change.sum())


@pytest.fixture(scope="module")
def source() -> ProceduralFaces:
    return ProceduralFaces(seed=3)


@cache
def normalized(source: ProceduralFaces, au: int, intensity: float) -> np.ndarray:
    return source.normalized(FaceFactors(aus={au: intensity})).astype(np.float64)


def test_a_face_is_determined_by_its_numbers(source: ProceduralFaces) -> None:
    source.face(5, 1)
    again = ProceduralFaces(seed=3).face(2, 7)
    here = source.face(2, 7)
    assert np.array_equal(here.image, again.image)
    assert np.array_equal(here.normalized, again.normalized)
    assert np.array_equal(here.landmarks, again.landmarks)
    assert here.factors == again.factors
    assert not np.array_equal(here.image, ProceduralFaces(seed=4).face(2, 7).image)
    assert not np.array_equal(here.image, source.face(2, 8).image)


def test_identity_depends_on_subject_only_and_has_many_parameters(source: ProceduralFaces) -> None:
    assert source.factors(1, 0).identity == source.factors(1, 9).identity == source.identity(1)
    people = [source.identity(subject) for subject in range(60)]
    table = np.array([[getattr(person, name) for name in identity_names()] for person in people])
    independent = np.linalg.matrix_rank(table - table.mean(0))
    assert independent >= 20
    assert len({person.mouth_curve for person in people}) == len(people)


def test_expression_does_not_depend_on_identity() -> None:
    one = ProceduralFaces(seed=0)
    faces = [one.factors(subject, index) for subject in range(40) for index in range(8)]
    smile = np.array([face.aus[12] for face in faces])
    for name in ("mouth_curve", "brow_height", "skin_tone"):
        value = np.array([getattr(face.identity, name) for face in faces])
        assert abs(np.corrcoef(smile, value)[0, 1]) < 0.2


def test_emotions_are_balanced_within_a_subject(source: ProceduralFaces) -> None:
    names = [source.factors(4, index).emotion for index in range(16)]
    assert sorted(map(str, names)) == sorted(EMOTIONS * 2)


def test_contempt_is_one_sided(source: ProceduralFaces) -> None:
    for subject in range(6):
        face = next(f for f in (source.factors(subject, index) for index in range(8)) if f.emotion == "contempt")
        sides = sorted((face.side(12, 1), face.side(12, -1)))
        assert sides[0] < 0.3 * sides[1]


@pytest.mark.parametrize("au", RIGGED_AUS)
def test_every_action_unit_is_visible_where_it_should_be(source: ProceduralFaces, au: int) -> None:
    rest = normalized(source, au, 0.0)
    change = np.abs(normalized(source, au, 5.0) - rest).sum(-1)
    assert change.max() > 60.0
    assert (change > 24.0).sum() >= 12
    assert share_inside(change, REGION.get(au, MOUTH)) > 0.75


@pytest.mark.parametrize("au", RIGGED_AUS)
def test_action_units_grow_monotonically(source: ProceduralFaces, au: int) -> None:
    rest = normalized(source, au, 0.0)
    sizes = [np.abs(normalized(source, au, level) - rest).mean() for level in (0.0, 1.25, 2.5, 3.75, 5.0)]
    assert sizes[0] == 0.0
    assert all(low < high for low, high in pairwise(sizes))


def test_an_uneven_action_unit_moves_one_side(source: ProceduralFaces) -> None:
    rest = source.target().astype(np.float64)
    left_only = source.normalized(FaceFactors(aus={12: 5.0}, skew={12: 1.0})).astype(np.float64)
    change = np.abs(left_only - rest).sum((0, 2))
    assert change[33:].sum() > 3.0 * change[:31].sum()  # the subject's left is on the right of the screen


def test_normalized_face_depends_on_action_units_only(source: ProceduralFaces) -> None:
    one, other = source.face(0, 3).factors, source.face(1, 5).factors
    other = replace(other, aus=one.aus, skew=one.skew)
    assert np.array_equal(source.normalized(one), source.normalized(other))
    assert np.array_equal(source.target(), source.normalized(replace(other, aus={}, skew={})))


def test_landmarks_lie_on_the_template(source: ProceduralFaces) -> None:
    template = source.alignment.template()
    frontal = source.draw(FaceFactors())
    assert np.abs(frontal.landmarks - template).max() < 0.3
    assert np.array_equal(frontal.image, source.target())
    for subject in range(4):
        face = source.face(subject, 0)
        assert np.linalg.norm(face.landmarks - template, axis=1).mean() < 0.09 * 64


def test_jaw_drop_does_not_zoom_the_normalized_face(source: ProceduralFaces) -> None:
    change = np.abs(normalized(source, 26, 5.0) - normalized(source, 26, 0.0)).sum(-1)
    assert share_inside(change, MOUTH) > 0.95


@pytest.mark.parametrize("aligned", [True, False])
def test_mask_covers_the_landmarks(aligned: bool) -> None:
    source = ProceduralFaces(seed=1, aligned=aligned)
    for subject in range(5):
        face = source.face(subject, subject)
        assert 0.08 < face.mask.mean() < 0.75
        columns, rows = np.round(face.landmarks[2:]).astype(int).T  # nose and mouth; a fringe may hide an eye
        assert face.mask[rows, columns].all()


def test_pose_signs() -> None:
    source = ProceduralFaces(seed=0, aligned=False)

    def nose_from_eyes(**pose: float) -> np.ndarray:
        points = source.landmarks(FaceFactors(**pose))  # type: ignore[arg-type]
        return np.asarray(points[2] - points[:2].mean(0))

    rest = nose_from_eyes()
    assert nose_from_eyes(yaw=30.0)[0] > rest[0] + 2.0  # to the subject's left: screen right
    assert nose_from_eyes(pitch=15.0)[1] < rest[1] - 1.0  # upwards: smaller row
    right_eye, left_eye = source.landmarks(FaceFactors(roll=15.0))[:2]
    assert left_eye[1] > right_eye[1] + 2.0  # clockwise on screen


def test_alignment_removes_roll_and_the_loose_frame_keeps_it() -> None:
    rolled = FaceFactors(roll=15.0)
    slopes = {}
    for aligned in (True, False):
        points = ProceduralFaces(aligned=aligned).landmarks(rolled)
        slopes[aligned] = np.degrees(np.arctan2(*(points[1] - points[0])[::-1]))
    assert abs(slopes[True]) < 1.5
    assert abs(slopes[False] - 15.0) < 1.5


def test_poses_stay_in_range() -> None:
    source = ProceduralFaces(seed=0)
    faces = [source.factors(subject, index) for subject in range(40) for index in range(8)]
    for name, limit in (("yaw", 45.0), ("pitch", 20.0), ("roll", 15.0)):
        values = np.abs([getattr(face, name) for face in faces])
        assert values.max() <= limit
        assert values.max() > 0.9 * limit


@pytest.mark.parametrize("size", [32, 100, 256])
def test_sizes(size: int) -> None:
    face = ProceduralFaces(alignment=Alignment(size=size)).face(0, 0)
    assert face.image.shape == face.normalized.shape == (size, size, 3)
    assert face.mask.shape == (size, size)
    assert face.image.dtype == np.uint8
    assert face.image.std() > 15.0


def test_sizes_show_the_same_picture() -> None:
    small, large = (ProceduralFaces(alignment=Alignment(size=size)).target().astype(float) for size in (64, 128))
    halved = large.reshape(64, 2, 64, 2, 3).mean((1, 3))
    assert np.abs(halved - small).mean() < 4.0


@pytest.mark.parametrize(("change", "grows"), [({"noise": 8.0}, True), ({"blur": 0.03}, False)], ids=["noise", "blur"])
def test_noise_and_blur(source: ProceduralFaces, change: dict[str, float], grows: bool) -> None:
    plain = source.draw(FaceFactors()).image.astype(float)
    changed = source.draw(FaceFactors(**change)).image.astype(float)  # type: ignore[arg-type]
    rough = [np.abs(np.diff(image, axis=0)).mean() for image in (plain, changed)]
    assert (rough[1] > rough[0]) == grows


def test_people_look_different(source: ProceduralFaces) -> None:
    pictures = [source.draw(FaceFactors(identity=source.identity(subject))).image.astype(float) for subject in range(5)]
    for first, second in pairwise(pictures):
        assert np.abs(first - second).mean() > 8.0


def test_identity_of_the_common_person_is_the_default() -> None:
    assert Identity() == COMMON
    assert draw_identity(np.random.default_rng(0)) == draw_identity(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alignment": Alignment(size=16)}, "a size from 32 to 256"),
        ({"seed": -1}, "a seed from 0"),
        ({"emotions": ("joy",)}, "found joy"),
        ({"emotions": ()}, "found none"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ProceduralFaces(**arguments)  # type: ignore[arg-type]


def test_negative_numbers_are_refused(source: ProceduralFaces) -> None:
    with pytest.raises(ConfigError, match="subject -1"):
        source.face(-1, 0)


def test_is_a_face_source() -> None:
    source: FaceSource = ProceduralFaces()
    assert source.face(0, 0).image.shape == source.target().shape
