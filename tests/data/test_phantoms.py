import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from covidlib.data import phantoms
from covidlib.data.cards import card
from covidlib.data.layouts import read
from covidlib.data.phantoms import (
    PhantomSettings,
    draw_ct,
    draw_cxr,
    draw_natural,
    materialise,
    write,
)
from covidlib.data.phantoms.acquisition import annotate, draw_markers, marker_box
from covidlib.data.phantoms.ct_findings import OTHER, choose
from covidlib.data.phantoms.fields import capsule, ellipse, grid, noise, ramp
from covidlib.data.phantoms.planning import people, share_out
from covidlib.data.phantoms.vessels import grow, rasterise
from covidlib.data.table import Dataset
from covidlib.errors import DataError
from covidlib.paths import cache_root

SMALL = PhantomSettings(images=40, size=48, shortcut=0.8, seed=3)


@pytest.fixture(scope="module")
def ct():
    return draw_ct(160, 96, seed=5)


@pytest.fixture(scope="module")
def cxr():
    return draw_cxr(160, 96, seed=5)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Every phantom data set, written once: name -> folder."""
    home = tmp_path_factory.mktemp("phantoms")
    for name in phantoms.NAMES:
        write(name, home / name, SMALL)
    return home


def phi(a, b):
    return np.corrcoef(np.asarray(a, float), np.asarray(b, float))[0, 1]


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


# --- shapes -----------------------------------------------------------------------------------


def test_circle_is_a_signed_distance():
    x, y = grid(64)
    distance = ellipse(x, y, 0.1, -0.2, 0.5, 0.5)
    np.testing.assert_allclose(distance, 0.5 - np.hypot(x - 0.1, y + 0.2), atol=1e-6)
    area = (distance > 0).sum() * (2 / 64) ** 2
    assert area == pytest.approx(np.pi * 0.25, rel=0.01)


def test_capsule_matches_the_distance_to_sampled_points_of_its_line():
    x, y = grid(32)
    t = np.linspace(0, 1, 2001)
    near = np.hypot(x[..., None] - (-0.4 + 0.9 * t), y[..., None] - (0.3 - 0.5 * t)).min(-1)
    np.testing.assert_allclose(capsule(x, y, -0.4, 0.3, 0.5, -0.2, 0.1), 0.1 - near, atol=1e-3)


def test_ramp_is_half_on_the_edge_and_saturates():
    np.testing.assert_allclose(ramp(np.array([-1, -0.05, 0, 0.05, 1.0]), 0.1), [0, 0, 0.5, 1, 1])


@pytest.mark.parametrize("scale", [0.05, 0.1, 0.3])
def test_noise_is_standardised_and_its_grain_follows_the_scale(scale):
    field = noise(np.random.default_rng(0), 64, 96, scale)
    assert abs(field.mean()) < 0.1
    assert field.std() == pytest.approx(1, abs=0.12)
    lag = max(1, round(scale * 96 / 2))
    near = phi(field[..., :-1].ravel(), field[..., 1:].ravel())
    far = phi(field[..., : -3 * lag].ravel(), field[..., 3 * lag :].ravel())
    assert near > 0.5
    assert abs(far) < 0.15


def test_tree_has_two_children_per_branch_that_start_where_it_ends():
    roots, headings = np.zeros((2, 3, 2)), np.zeros((2, 3))
    trees = grow(np.random.default_rng(0), roots, headings, length=0.2, width=0.05, levels=3)
    assert trees.shape == (2, 3 * 7, 5)
    ends = trees[:, :3, 2:4]
    np.testing.assert_array_equal(trees[:, 3:9, :2], np.repeat(ends, 2, axis=1))


def test_rasterised_segment_covers_its_area():
    line = np.array([[[-0.5, 0.0, 0.5, 0.0, 0.1]]])
    drawn = rasterise(line.astype(np.float32), 96)
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    lit = (drawn > 0).sum() * (2 / 96) ** 2
    assert lit == pytest.approx(1.0 * 0.1, rel=0.15)


# --- anatomy and masks --------------------------------------------------------------------------


@pytest.mark.parametrize("draw", [draw_ct, draw_cxr])
def test_contract_of_a_batch(draw):
    batch = draw(17, 40, seed=1)
    assert len(batch) == 17
    assert batch.images.dtype == batch.lobes.dtype == np.uint8
    assert batch.lungs.dtype == batch.lesions.dtype == batch.marker.dtype == bool
    assert batch.images.shape == batch.lungs.shape == batch.lobes.shape == (17, 40, 40)
    counts = np.bincount(batch.labels, minlength=len(batch.classes))
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("name", ["ct", "cxr"])
def test_five_lobes_partition_the_lungs(name, request):
    batch = request.getfixturevalue(name)
    np.testing.assert_array_equal(batch.lobes > 0, batch.lungs)
    assert batch.lobes.max() == 5
    present = [(batch.lobes == k).any((1, 2)).mean() for k in range(1, 6)]
    assert min(present) > 0.98


@pytest.mark.parametrize("name", ["ct", "cxr"])
def test_right_lobes_are_on_the_left_of_the_picture(name, request):
    batch = request.getfixturevalue(name)
    across = np.arange(96)
    right, left = np.isin(batch.lobes, (1, 2, 3)), np.isin(batch.lobes, (4, 5))
    centre = [(mask * across).sum((1, 2)) / mask.sum((1, 2)) for mask in (right, left)]
    assert (centre[0] < centre[1] - 15).all()
    down = np.arange(96)[:, None]
    upper, lower = ((batch.lobes == k) for k in (4, 5))
    assert (
        (upper * down).sum((1, 2)) / upper.sum((1, 2))
        < (lower * down).sum((1, 2)) / lower.sum((1, 2))
    ).all()


@pytest.mark.parametrize("name", ["ct", "cxr"])
def test_lesions_lie_inside_the_lungs(name, request):
    batch = request.getfixturevalue(name)
    assert not (batch.lesions & ~batch.lungs).any()


def test_lungs_are_dark_inside_a_bright_body(ct, cxr):
    for batch, share in ((ct, (0.12, 0.40)), (cxr, (0.10, 0.45))):
        area = batch.lungs.mean((1, 2))
        assert share[0] < area.min()
        assert area.max() < share[1]
        # One pixel further out there is tissue, not air: grey around the lungs is brighter.
        ring = _grown(batch.lungs, 3) & ~_grown(batch.lungs, 1)
        healthy = batch.lungs & ~batch.lesions
        inside = [im[m].mean() for im, m in zip(batch.images, healthy, strict=True)]
        around = [im[m].mean() for im, m in zip(batch.images, ring, strict=True)]
        assert (np.array(around) > np.array(inside) + 8).all()


def test_ct_lungs_do_not_touch_the_edge_of_the_picture(ct):
    edge = np.ones((96, 96), bool)
    edge[5:-5, 5:-5] = False
    assert not (ct.lungs & edge).any()


def _grown(mask, steps):
    out = mask.copy()
    for _ in range(steps):
        out[:, 1:] |= out[:, :-1]
        out[:, :-1] |= out[:, 1:]
        out[:, :, 1:] |= out[:, :, :-1]
        out[:, :, :-1] |= out[:, :, 1:]
    return out


def test_images_of_one_patient_share_their_anatomy():
    patients = np.repeat(np.arange(12), 2)
    batch = draw_cxr(24, 64, np.zeros(24, int), seed=2, patients=patients)
    assert (batch.source[::2] == batch.source[1::2]).all()
    first, second = batch.lungs[::2], batch.lungs[1::2]
    assert _overlap(first, second) > _overlap(first, np.roll(second, 1, axis=0)) + 0.05


def _overlap(a, b):
    return ((a & b).sum((1, 2)) / (a | b).sum((1, 2))).mean()


def test_a_patient_has_one_finding_and_findings_have_their_shares():
    patients = np.repeat(np.arange(3000), 2)
    found = choose(np.zeros(6000, int), patients, seed=0)
    assert (found[::2] == found[1::2]).all()
    for name, share in OTHER.items():
        assert (found == name).mean() == pytest.approx(share, abs=0.03)
    assert sum(OTHER.values()) == pytest.approx(1)
    assert (choose(np.ones(4, int), patients[:4], seed=0) == "covid").all()


def test_children_are_smaller_than_adults():
    labels, patients = np.zeros(30, int), np.arange(30)
    sizes = [
        draw_cxr(30, 64, labels, patients=patients, sources=np.repeat(source, 30)).lungs.mean()
        for source in ("children", "adult-digital")
    ]
    assert sizes[0] < 0.9 * sizes[1]


# --- labels and lesions -------------------------------------------------------------------------


def diseased(drawn):
    """Share of the lung area."""
    return drawn.lesions.sum((1, 2)) / np.maximum(drawn.lungs.sum((1, 2)), 1)


def test_only_the_healthy_have_no_lesion(ct, cxr):
    clean = np.isin(ct.finding, ("none", "emphysema"))
    assert (ct.lesions.any((1, 2))[~clean]).mean() > 0.95
    assert not ct.lesions[clean].any()
    assert diseased(ct)[ct.labels == 1].min() > 0.02
    assert (ct.finding[ct.labels == 1] == "covid").all()
    assert not (ct.finding[ct.labels == 0] == "covid").any()
    assert not cxr.lesions[cxr.labels == 0].any()
    assert diseased(cxr)[cxr.labels > 0].min() > 0.01


def test_classes_of_x_rays_have_their_typical_places(cxr):
    lobes, lesions = cxr.lobes, cxr.lesions
    down = np.arange(96)[:, None] * np.ones(96)
    sides = np.stack([np.isin(lobes, (1, 2, 3)), np.isin(lobes, (4, 5))])
    both = (lesions & sides).any((2, 3)).all(0)
    height = {}
    for k, name in enumerate(cxr.classes[1:], 1):
        rows = cxr.labels == k
        top = np.array([down[m].min() for m in cxr.lungs[rows]])
        base = np.array([down[m].max() for m in cxr.lungs[rows]])
        mean = np.array([down[m].mean() for m in lesions[rows]])
        height[name] = ((mean - top) / (base - top)).mean()
    assert height["tb"] < 0.40 < 0.45 < height["covid19"]  # apical against lower
    assert both[cxr.labels == 1].mean() > 0.9
    assert both[cxr.labels == 4].mean() == 1
    assert not both[cxr.labels == 3].any()  # lobar pneumonia keeps to one lobe
    one_lobe = [len(np.unique(lobes[k][lesions[k]])) for k in np.flatnonzero(cxr.labels == 3)]
    assert max(one_lobe) <= 3  # the softened fissures leak into the neighbours


def test_mean_grey_does_not_tell_the_class_but_the_lesions_do(ct, cxr):
    sides = [np.isin(ct.lobes, lobes) for lobes in ((1, 2, 3), (4, 5))]
    share = [(ct.lesions & s).sum((1, 2)) / s.sum((1, 2)) for s in sides]
    assert 0.3 < roc_auc_score(ct.labels, ct.images.mean((1, 2))) < 0.7
    assert 0.3 < roc_auc_score(cxr.labels > 0, cxr.images.mean((1, 2))) < 0.75
    assert roc_auc_score(ct.labels, np.minimum(*share)) > 0.92
    assert roc_auc_score(ct.labels, diseased(ct)) < 0.99  # other diseases have area too
    assert roc_auc_score(cxr.labels > 0, diseased(cxr)) == 1


@pytest.mark.parametrize("draw", [draw_ct, draw_cxr])
def test_difficulty_fades_and_shrinks_the_same_lesions(draw):
    steps = [draw(48, 64, seed=4, difficulty=d) for d in (0.0, 0.35, 0.7, 1.0)]
    for batch in steps[1:]:
        np.testing.assert_array_equal(batch.lungs, steps[0].lungs)
        np.testing.assert_array_equal(batch.finding, steps[0].finding)
    assert np.all(np.diff([batch.lesions.sum() for batch in steps]) < 0)
    assert np.all(np.diff([_contrast_to_noise(batch) for batch in steps]) < 0)


def _contrast_to_noise(batch):
    out = []
    for image, lesion, lung in zip(batch.images, batch.lesions, batch.lungs, strict=True):
        healthy = lung & ~lesion
        if lesion.sum() > 15:
            out.append((image[lesion].mean() - image[healthy].mean()) / image[healthy].std())
    return np.mean(out)


# --- determinism --------------------------------------------------------------------------------


def test_another_process_draws_the_same_bytes():
    code = (
        "import hashlib; from covidlib.data.phantoms import *\n"
        "for draw in (draw_ct, draw_cxr):\n"
        "    b = draw(20, 48, seed=9, shortcut=0.5)\n"
        "    d = hashlib.sha256(b.images.tobytes() + b.lobes.tobytes() + b.lesions.tobytes())\n"
        "    print(d.hexdigest())\n"
    )
    run = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert run[0].stdout == run[1].stdout
    first, second = run[0].stdout.split()
    assert first != second


def test_seed_changes_everything_but_the_number_of_labels():
    a, b = draw_ct(12, 40, seed=0), draw_ct(12, 40, seed=1)
    assert (a.images != b.images).mean() > 0.3
    assert a.labels.sum() == b.labels.sum()


def test_labels_do_not_leak_into_anatomy():
    ill, well = (draw_cxr(24, 48, np.full(24, k), seed=6, patients=np.arange(24)) for k in (1, 0))
    np.testing.assert_array_equal(ill.lungs, well.lungs)


# --- shortcut marker ----------------------------------------------------------------------------


@pytest.mark.parametrize("prevalence", [0.1, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("shortcut", [0.25, 0.6, 1.0])
def test_marker_correlates_with_the_label_as_asked(prevalence, shortcut):
    positive = np.arange(1000) < 1000 * prevalence
    marked = draw_markers(np.random.default_rng(0), positive, shortcut)
    assert phi(marked, positive) == pytest.approx(shortcut, abs=0.01)


def test_no_shortcut_means_no_marker_and_single_class_sets_join():
    rng = np.random.default_rng(0)
    assert not draw_markers(rng, np.arange(10) < 5, 0).any()
    ill, well = np.ones(400, bool), np.zeros(400, bool)
    marked = np.concatenate([draw_markers(rng, ill, 0.6), draw_markers(rng, well, 0.6)])
    assert phi(marked, np.concatenate([ill, well])) == pytest.approx(0.6, abs=0.01)


def test_marker_is_in_the_picture_where_the_truth_says_so():
    on = draw_ct(10, 64, seed=1, markers=np.ones(10, bool))
    off = draw_ct(10, 64, seed=1, markers=np.zeros(10, bool))
    top, left, bottom, right = marker_box((64, 64))
    inner = np.s_[:, top + 1 : bottom - 1, left + 1 : right - 1]
    assert (on.images[inner] == 255).all()
    assert (off.images[inner] < 255).any((1, 2)).all()
    differs = (on.images != off.images).any(0)
    differs[top:bottom, left:right] = False
    assert not differs.any()  # a counterfactual pair: nothing else changed


def test_a_marker_reader_reaches_the_accuracy_that_the_shortcut_grants():
    batch = draw_cxr(200, 48, np.arange(200) % 2, seed=2, shortcut=0.8)
    top, left, bottom, right = marker_box((48, 48))
    seen = batch.images[:, top + 1 : bottom - 1, left + 1 : right - 1].min((1, 2)) == 255
    np.testing.assert_array_equal(seen, batch.marker)
    assert (seen == (batch.labels == 1)).mean() == pytest.approx(0.9, abs=0.01)  # (1 + phi) / 2


def test_annotation_leaves_its_input_alone():
    image = np.zeros((50, 70), np.uint8)
    out = annotate(image, phantoms.CXR_STYLES["adult-web"], True)
    assert not image.any()
    assert out.shape == image.shape
    assert out.max() == 255


def test_sources_look_different():
    labels, patients = np.zeros(12, int), np.arange(12)
    pictures = {
        source: draw_cxr(12, 64, labels, patients=patients, sources=np.repeat(source, 12)).images
        for source in ("adult-digital", "adult-film")
    }
    assert (pictures["adult-film"][:, 0] == 0).all()  # its frame
    assert pictures["adult-digital"][:, 8:].mean() != pictures["adult-film"][:, 8:].mean()


# --- natural pictures ---------------------------------------------------------------------------


def test_natural_pictures_have_colour_and_classes():
    pictures, labels = draw_natural(48, 40, seed=1)
    assert pictures.shape == (48, 40, 40, 3)
    assert pictures.dtype == np.uint8
    assert set(labels) == set(range(12))
    assert pictures.std((1, 2)).max(1).min() > 5
    again, _ = draw_natural(48, 40, seed=1)
    np.testing.assert_array_equal(pictures, again)


# --- data sets ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", phantoms.NAMES)
def test_the_reader_of_the_original_reads_the_phantom(name, written):
    known = card(name)
    table = read(known, written / name)
    classes = known.classes or tuple(sorted(table["label"].dropna().unique()))
    Dataset(name, table, classes, phantom=True)
    truth = pd.read_csv(written / name / "phantom_truth.csv").set_index("sample")
    assert len(truth) == SMALL.images
    assert set(table["sample"]) <= set(truth.index)
    assert len(table) >= SMALL.images - 2
    if name in phantoms.writing.IMAGE_FOLDERS:
        return
    assert table["lung_mask"].notna().all()
    for row in table.sample(5, random_state=0).itertuples():
        lung, lesion = (np.array(Image.open(p)) for p in (row.lung_mask, row.lesion_mask))
        assert set(np.unique(lung)) == {0, 255}
        assert set(np.unique(lesion)) <= {0, 255}
        assert (lung > 0).sum() == truth.loc[row.sample, "lung_pixels"]
        assert (lesion > 0).sum() == truth.loc[row.sample, "lesion_pixels"]
        if not row.path.endswith(".dcm"):
            assert Image.open(row.path).size == lung.shape[::-1]


def test_covid_ct_keeps_patients_apart_and_describes_its_files(written):
    folder = written / "covid-ct"
    table = read(card("covid-ct"), folder)
    assert not table[["patient", "split"]].drop_duplicates()["patient"].duplicated().any()
    assert table.groupby("patient").size().max() > 1
    assert set(table["split"]) == {"train", "val", "test"}
    facts = pd.read_csv(folder / "original_files.csv").set_index("path")
    for sample, row in facts.iterrows():
        data = (folder / sample).read_bytes()
        assert (row["sha256"], row["bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
        with Image.open(folder / sample) as image:
            assert (row["width"], row["height"]) == image.size
            assert (row["mode"], row["format"]) == (image.mode, image.format)
    transparent = facts.index[facts["mode"] == "RGBA"]
    assert len(transparent)
    assert all("/CT_COVID/" in sample for sample in transparent)  # the trap of the original


def test_written_markers_follow_the_truth(written):
    folder = written / "kermany-subset"
    truth = pd.read_csv(folder / "phantom_truth.csv")
    for row in truth.itertuples():
        image = np.array(Image.open(folder / row.sample).convert("L")).astype(int)
        top, left, bottom, right = marker_box(image.shape)
        assert (image[top + 1 : bottom - 1, left + 1 : right - 1].mean() > 225) == row.marker
    for _, rows in truth.groupby("split"):
        assert phi(rows["marker"], rows["drawn"] != "normal") == pytest.approx(0.8, abs=0.2)


def test_montgomery_halves_make_the_whole(written):
    folder = written / "montgomery"
    for image in sorted((folder / "CXR_png").iterdir())[:5]:
        left, right = (
            np.array(Image.open(folder / f"ManualMask/{side}Mask" / image.name)) > 0
            for side in ("left", "right")
        )
        whole = np.array(Image.open(folder / "phantom_masks/lung/CXR_png" / image.name)) > 0
        assert not (left & right).any()
        np.testing.assert_array_equal(left | right, whole)


def test_shenzhen_lacks_some_masks_and_segmentations_lack_empty_ones(written):
    names = len(list((written / "shenzhen/CXR_png").iterdir()))
    assert 0 < len(list((written / "shenzhen/mask").iterdir())) < names
    folder = written / "covid-cxr-segmentations"
    truth = pd.read_csv(folder / "phantom_truth.csv")
    lesions = {p.name for p in (folder / "lesion_masks").iterdir()}
    expected = truth.loc[truth["lesion_pixels"] > 0, "sample"]
    assert lesions == {Path(sample).name for sample in expected}
    assert len(lesions) < len(truth)


def test_rsna_boxes_hold_the_lesion(written):
    folder = written / "rsna"
    boxes = pd.read_csv(folder / "stage_2_train_labels.csv").dropna()
    assert len(boxes)
    for box in boxes.itertuples():
        mask = folder / f"phantom_masks/lesion/stage_2_train_images/{box.patientId}.png"
        lesion = np.array(Image.open(mask)) > 0
        x, y, w, h = (round(v) for v in (box.x, box.y, box.width, box.height))
        assert lesion[y : y + h, x : x + w].sum() == lesion.sum()
        assert lesion[y].any()
        assert lesion[:, x].any()


def test_two_data_sets_of_one_seed_share_no_patient(written):
    pictures = [
        {
            hashlib.sha256(p.read_bytes()).hexdigest()
            for p in (written / name).rglob("lung/**/*.png")
        }
        for name in ("kermany", "kermany-subset")
    ]
    assert not pictures[0] & pictures[1]


def test_writing_twice_gives_the_same_bytes(written, tmp_path):
    for name in ("covid-ct", "covid-cxnet", "rsna"):
        write(name, tmp_path / name, SMALL)
        assert hashes(tmp_path / name) == hashes(written / name)


def test_materialise_writes_once_and_anew_for_other_settings():
    first = materialise("montgomery", SMALL)
    stamp = (first / "phantom.json").stat().st_mtime_ns
    assert materialise("montgomery", SMALL) == first
    assert (first / "phantom.json").stat().st_mtime_ns == stamp
    assert json.loads((first / "phantom.json").read_text())["settings"]["seed"] == SMALL.seed
    other = materialise("montgomery", replace(SMALL, difficulty=0.9))
    assert other != first
    assert not [p for p in first.parent.iterdir() if p.name.startswith(".")]


def test_two_processes_materialise_one_folder():
    code = (
        "from covidlib.data.phantoms import *\n"
        "print(materialise('shenzhen', PhantomSettings(images=24, size=40, seed=77)))"
    )
    command = [sys.executable, "-c", code]
    jobs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    folders = [Path(job.communicate()[0].strip()) for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0]
    assert folders[0] == folders[1]
    assert len(list((folders[0] / "CXR_png").iterdir())) == 24
    assert not [p for p in folders[0].parent.iterdir() if p.name.startswith(".")]


def test_failed_writing_leaves_nothing(monkeypatch):
    def fail(name, folder, settings):
        (folder / "half.png").write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(phantoms.writing, "write", fail)
    settings = replace(SMALL, seed=123)
    with pytest.raises(OSError, match="disk full"):
        materialise("montgomery", settings)
    home = cache_root() / "phantoms"
    assert not [p for p in home.iterdir() if p.name.startswith(".")]


# --- planning and refusals ----------------------------------------------------------------------


@pytest.mark.parametrize("total", [20, 41, 160, 1000])
def test_shares_sum_and_leave_nobody_out(total):
    weights = {"a": 1, "b": 50, "c": 200, "d": 0.1}
    shares = share_out(total, weights)
    assert sum(shares.values()) == total
    assert min(shares.values()) >= 2
    assert shares["c"] > shares["b"] >= shares["a"]


def test_people_number_the_images_of_each_patient():
    rows = people(np.random.default_rng(0), 50, iter(range(7, 100)), most=4)
    assert len(rows) == 50
    frame = pd.DataFrame(rows, columns=["patient", "image"])
    assert frame["patient"].min() == 7
    for _, images in frame.groupby("patient")["image"]:
        assert images.tolist() == list(range(len(images)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"images": 5}, "at least 20"),
        ({"size": 8}, "32 to 1024"),
        ({"difficulty": 1.5}, "difficulty"),
        ({"shortcut": -0.1}, "shortcut"),
        ({"seed": -1}, "seed"),
    ],
)
def test_settings_out_of_range_are_refused(values, message):
    with pytest.raises(DataError, match=message):
        PhantomSettings(**values)


def test_bad_arguments_are_refused(tmp_path):
    with pytest.raises(DataError, match="no phantom"):
        write("chexpert", tmp_path, SMALL)
    with pytest.raises(DataError, match="labels must be"):
        draw_ct(2, 40, np.array([0, 2]))
    with pytest.raises(DataError, match="integer labels"):
        draw_cxr(3, 40, np.array([0, 1]))
    with pytest.raises(DataError, match="unknown sources"):
        draw_cxr(2, 40, sources=np.array(["children", "moon"]))
    with pytest.raises(DataError, match="nothing to draw"):
        draw_ct(0, 40)
