from __future__ import annotations

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from norface.errors import ConfigError
from norface.imaging.alignment import Alignment
from norface.labels import EMOTIONS
from norface.synthetic import FaceKitFaces, FaceKitFactors, FaceSource, Photography
from norface.synthetic.facekit.modes import AU_MODES, FACEKIT_AUS, gaze_weights, muscle_weights
from norface.synthetic.factors import Background, Light
from norface.synthetic.rig import RIGGED_AUS
from small_facekit import IDENTITIES, write_packed

CLEAN = Photography(blur=0.0, noise=0.0, jpeg=0.0, low_resolution=0.0, grey=0.0, jitter=0.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_packed(tmp_path_factory.mktemp("facekit") / "model.npz")


@pytest.fixture(scope="module")
def source(model: Path) -> FaceKitFaces:
    return FaceKitFaces(model, seed=3)


@cache
def normalized(source: FaceKitFaces, au: int, intensity: float) -> np.ndarray:
    return source.normalized(FaceKitFactors(aus={au: intensity})).astype(np.float64)


def test_is_a_source(source: FaceKitFaces) -> None:
    def accepts(some: FaceSource) -> str:
        return some.name

    assert accepts(source) == "norface.synthetic.FaceKitFaces"


def test_a_face_is_determined_by_its_numbers(source: FaceKitFaces, model: Path) -> None:
    source.face(5, 1)
    again, here = FaceKitFaces(model, seed=3).face(2, 7), source.face(2, 7)
    assert np.array_equal(here.image, again.image)
    assert np.array_equal(here.normalized, again.normalized)
    assert np.array_equal(here.landmarks, again.landmarks)
    assert here.factors == again.factors
    assert not np.array_equal(here.image, FaceKitFaces(model, seed=4).face(2, 7).image)
    assert not np.array_equal(here.image, source.face(2, 8).image)


def test_identity_depends_on_the_subject_only(source: FaceKitFaces) -> None:
    assert source.factors(1, 0).identity == source.factors(1, 9).identity == source.identity(1)
    people = [source.identity(subject) for subject in range(40)]
    shapes = np.array([person.shape for person in people])
    assert shapes.shape == (40, IDENTITIES)
    assert 0.7 < shapes.std() < 1.2
    assert {person.glasses > 0.0 for person in people} == {True, False}


def test_factors_are_independent(source: FaceKitFaces) -> None:
    faces = [source.factors(subject, index) for subject in range(40) for index in range(8)]
    columns = {
        "smile": [face.aus[12] for face in faces],
        "jaw": [face.aus[26] for face in faces],
        "yaw": [face.yaw for face in faces],
        "light": [face.light.azimuth for face in faces],
        "skin": [face.identity.skin_tone for face in faces],
        "shape": [face.identity.shape[0] for face in faces],
        "blur": [face.blur for face in faces],
        "grey": [face.grey for face in faces],
    }
    correlation = np.abs(np.corrcoef(np.array(list(columns.values()), float))) - np.eye(len(columns))
    correlation[0, 1] = correlation[1, 0] = 0.0  # muscles of one expression belong together
    assert correlation.max() < 0.2


def test_emotions_take_turns(source: FaceKitFaces) -> None:
    names = [source.factors(4, index).emotion for index in range(16)]
    assert sorted(map(str, names)) == sorted(EMOTIONS * 2)


def test_shows_what_the_procedural_faces_show_and_more() -> None:
    assert set(FACEKIT_AUS) > set(RIGGED_AUS)


@pytest.mark.parametrize("au", FACEKIT_AUS)
def test_an_action_unit_moves_its_own_modes_of_the_side_it_is_on(au: int) -> None:
    both = muscle_weights(FaceKitFactors(aus={au: 5.0}))
    assert set(both) == {
        name for stem, _ in AU_MODES[au] for name in ((stem + "L", stem + "R") if stem.endswith("_") else (stem,))
    }
    assert all(0.0 < weight <= 1.0 for weight in both.values())
    half = muscle_weights(FaceKitFactors(aus={au: 2.5}))
    assert half == pytest.approx({name: 0.5 * weight for name, weight in both.items()}, rel=0.5)
    left = muscle_weights(FaceKitFactors(aus={au: 5.0}, skew={au: 1.0}))
    assert not any(name.endswith("_R") for name in left)


@pytest.mark.parametrize("au", FACEKIT_AUS)
def test_every_action_unit_changes_the_normalized_face_more_the_stronger_it_is(source: FaceKitFaces, au: int) -> None:
    rest = normalized(source, 12, 0.0)
    half, full = (np.abs(normalized(source, au, level) - rest).mean() for level in (2.0, 5.0))
    assert 0.0 < half < full


def lids(factors: FaceKitFactors) -> dict[str, float]:
    return gaze_weights(factors, muscle_weights(factors))


def test_lids_follow_the_gaze_and_closed_ones_stay() -> None:
    down = lids(FaceKitFactors(gaze=(0.0, -15.0)))
    assert down == {"eyeLookDown_L": 0.5, "eyeLookDown_R": 0.5}
    left = lids(FaceKitFactors(gaze=(15.0, 0.0)))
    assert left == {"eyeLookOut_L": 0.5, "eyeLookIn_R": 0.5}
    closed = lids(FaceKitFactors(aus={43: 5.0}, gaze=(0.0, -15.0)))
    assert closed["eyeLookDown_L"] < 0.1


def test_normalized_face_depends_on_the_expression_only(source: FaceKitFaces) -> None:
    one, other = source.factors(0, 3), source.factors(1, 5)
    other = replace(other, aus=one.aus, skew=one.skew)
    assert np.array_equal(source.normalized(one), source.normalized(other))
    assert np.array_equal(source.target(), source.normalized(replace(other, aus={}, skew={})))
    assert not np.array_equal(source.normalized(one), source.target())


def test_background_of_the_normalized_face_is_grey(source: FaceKitFaces) -> None:
    corner = source.target()[0, 0].astype(int)
    assert np.abs(corner - 127).max() <= 1


def pupil(image: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Centre of the darkest pixels within a few of a place."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    light = image.astype(float).sum(-1)
    light[np.hypot(columns - near[0], rows - near[1]) > 0.035 * image.shape[0]] = 1e3
    dark = light < np.sort(light.ravel())[6]
    return np.array([columns[dark].mean(), rows[dark].mean()])


@pytest.mark.parametrize("aligned", [True, False])
def test_landmarks_are_where_they_are_seen(model: Path, aligned: bool) -> None:
    source = FaceKitFaces(model, alignment=Alignment(size=128), aligned=aligned, photo=CLEAN)
    front = Light(azimuth=0.0, elevation=10.0)
    for yaw, pitch, roll in ((0.0, 0.0, 0.0), (18.0, 0.0, 0.0), (0.0, -8.0, 9.0)):
        # The eyeballs look back at the camera, so that the pupils lie on its line to their centres.
        face = source.draw(FaceKitFactors(light=front, gaze=(-yaw, -pitch), yaw=yaw, pitch=pitch, roll=roll))
        for point in face.landmarks[:2]:
            assert np.abs(pupil(face.image, point) - point).max() < 3.5
            assert face.mask[tuple(np.round(point[::-1]).astype(int))]
        nose = np.round(face.landmarks[2, ::-1]).astype(int)
        assert face.mask[tuple(nose)]


def test_landmarks_lie_on_the_template(source: FaceKitFaces) -> None:
    template = source.alignment.template()
    for subject in range(3):
        points = source.landmarks(source.factors(subject, 0))
        assert np.linalg.norm(points - template, axis=1).mean() < 0.1 * 64


def test_pose_signs(model: Path) -> None:
    source = FaceKitFaces(model, aligned=False)

    def nose_from_eyes(**pose: float) -> np.ndarray:
        points = source.landmarks(FaceKitFactors(**pose))  # type: ignore[arg-type]
        return np.asarray(points[2] - points[:2].mean(0))

    rest = nose_from_eyes()
    assert nose_from_eyes(yaw=30.0)[0] > rest[0] + 2.0
    assert nose_from_eyes(pitch=15.0)[1] < rest[1] - 1.0


def test_light_comes_from_where_it_should(model: Path) -> None:
    source = FaceKitFaces(model, photo=CLEAN)
    for azimuth, brighter in ((-70.0, slice(16, 30)), (70.0, slice(34, 48))):
        image = source.draw(FaceKitFactors(light=Light(azimuth=azimuth, elevation=0.0), background=Background())).image
        middle = image[20:50].astype(float).mean((0, 2))
        assert middle[brighter].mean() == max(middle[16:30].mean(), middle[34:48].mean())


@pytest.mark.parametrize(
    "change",
    [{"jpeg": 25}, {"resolution": 0.3}, {"grey": 1.0}, {"blur": 0.02}, {"noise": 9.0}],
    ids=lambda c: next(iter(c)),
)
def test_wear_changes_the_original_only(source: FaceKitFaces, change: dict[str, float]) -> None:
    clean = replace(source.factors(1, 2), blur=0.0, noise=0.0, jpeg=0, resolution=1.0, grey=0.0)
    before, after = source.draw(clean), source.draw(replace(clean, **change))  # type: ignore[arg-type]
    assert np.abs(before.image.astype(int) - after.image).mean() > 0.3
    assert np.array_equal(before.normalized, after.normalized)
    if "grey" in change:
        assert np.ptp(after.image.astype(int), axis=-1).max() <= 1


def test_shares_of_wear_are_kept(model: Path) -> None:
    faces = [FaceKitFaces(model, photo=CLEAN).factors(subject, 0) for subject in range(20)]
    assert all(f.blur == f.noise == f.jpeg == f.grey == 0.0 and f.resolution == 1.0 for f in faces)
    assert all(not any(f.jitter) for f in faces)
    always = Photography(blur=1.0, noise=1.0, jpeg=1.0, low_resolution=1.0, grey=1.0, jitter=2.0)
    faces = [FaceKitFaces(model, photo=always).factors(subject, 0) for subject in range(20)]
    assert all(f.blur > 0.0 and f.noise > 0.0 and f.jpeg >= 20 and f.grey == 1.0 and f.resolution < 1.0 for f in faces)


@pytest.mark.parametrize(("option", "value"), [("blur", 1.5), ("jpeg", -0.1), ("jitter", 9.0)])
def test_shares_out_of_range(option: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"photo.{option}"):
        Photography(**{option: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alignment": Alignment(size=300)}, "32 to 256"),
        ({"seed": -1}, "seed"),
        ({"emotions": ("joy",)}, "joy"),
    ],
)
def test_bad_arguments(model: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FaceKitFaces(model, **changes)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="from 0 on"):
        FaceKitFaces(model).factors(-1, 0)


ASSETS = Path(os.environ.get("NORFACE_ASSETS", Path(__file__).parents[3].parent / "shared" / "assets"))
REAL = ASSETS / "facekit"


@pytest.mark.skipif(not REAL.is_dir(), reason="the face model is not here")
def test_the_real_model() -> None:
    source = FaceKitFaces(REAL, alignment=Alignment(size=96), photo=CLEAN)
    template = source.alignment.template()
    target = source.draw(FaceKitFactors())
    assert np.abs(target.landmarks - template).max() < 3.0
    for point in target.landmarks[:2]:
        assert np.abs(pupil(target.image, point) - point).max() < 2.0
    assert 0.3 < target.mask.mean() < 0.8
    smile = source.normalized(FaceKitFactors(aus={12: 5.0})).astype(int)
    rest = source.target().astype(int)
    change = np.abs(smile - rest).sum(-1)
    assert change[60:].sum() > 0.6 * change.sum()  # the lower half moves
    face = source.face(1, 1)
    assert not np.array_equal(face.image, face.normalized)
