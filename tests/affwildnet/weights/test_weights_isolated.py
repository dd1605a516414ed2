"""Bad files of weights: one line each, whatever the libraries that read them do."""

import json
import os
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from affwildnet.weights import hdf5, isolated, matconvnet, vgg_face
from tests.helpers.damaged_weights import mutated, outcome
from tests.helpers.paths import ROOT
from tests.helpers.weight_writers import Torch7Writer, cell
from tfrecords_tools.errors import UserError

# Cases of each fuzz test; the long form has more.
CASES = int(os.environ.get("AFFWILDNET_FUZZ", "100"))
LONGEST = 10  # seconds


def write_h5(path, change=lambda group: None):
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"conv1"]
        group = file.create_group("conv1")
        group.attrs["weight_names"] = [b"kernel:0", b"bias:0"]
        group["kernel:0"] = np.arange(24, dtype="float32").reshape(2, 3, 4)
        group["bias:0"] = np.ones(4, "float32")
        change(group)
    return path


def write_mat(path):
    weights = cell([np.ones((3, 3, 3, 4), "float32"), np.ones((4, 1), "float32")])
    layers = cell([{"name": "conv1", "type": "conv", "weights": weights}, {"name": "relu1", "type": "relu"}])
    meta = {"normalization": {"averageImage": np.ones((1, 1, 3))}}
    savemat(path, {"layers": layers, "meta": meta}, do_compression=path.stem.endswith("z"))
    return path


def write_t7(path):
    module = {"class": "nn.SpatialConvolution", "weight": np.ones((4, 3), "float32"), "bias": np.ones(4, "float32")}
    writer = Torch7Writer()
    writer.thing({"class": "nn.Sequential", "modules": {1: module}})
    path.write_bytes(writer.content)
    return path


READERS = {
    "hdf5": ("x.h5", write_h5, hdf5.read, hdf5.content),
    "matconvnet": ("x.mat", write_mat, matconvnet.read, matconvnet.content),
    "matconvnet_compressed": ("xz.mat", write_mat, matconvnet.read, matconvnet.content),
    "torch7": (
        "x.t7",
        write_t7,
        lambda path: isolated.read(path, "Torch7", "affwildnet.weights.vgg_face:torch7_content"),
        vgg_face.torch7_content,
    ),
}


def refusal(read, path):
    began = time.monotonic()
    with pytest.raises(UserError) as raised:
        read(path)
    assert time.monotonic() - began < 60
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("kind", READERS)
def test_a_whole_file_is_read(kind, tmp_path):
    name, write, read, content = READERS[kind]
    path = write(tmp_path / name)
    read(path)
    arrays, _ = content(path)
    assert arrays


def test_what_lies_outside_the_file_is_not_read(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"\x01" * 96)
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["data"] = np.ones((2, 3, 4), "float32")

    def external(group):
        del group["kernel:0"]
        group.create_dataset("kernel:0", (2, 3, 4), "float32", external=[(str(secret), 0, 96)])

    def external_link(group):
        del group["kernel:0"]
        group["kernel:0"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/data")

    def soft_link(group):
        group.move("kernel:0", "elsewhere")
        group["kernel:0"] = h5py.SoftLink("/conv1/elsewhere")

    def virtual(group):
        del group["kernel:0"]
        layout = h5py.VirtualLayout((2, 3, 4), "float32")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "data", (2, 3, 4))
        group.create_virtual_dataset("kernel:0", layout)

    for change, why in (
        (external, "another file"),
        (external_link, "a link"),
        (soft_link, "a link"),
        (virtual, "another"),
    ):
        assert why in refusal(hdf5.read, write_h5(tmp_path / "x.h5", change))


def test_terabytes_are_not_asked_for(tmp_path):
    def claim(group):
        del group["kernel:0"]
        group.create_dataset("kernel:0", (1 << 20, 1 << 20), "float32", chunks=(64, 64))

    path = write_h5(tmp_path / "x.h5", claim)
    assert path.stat().st_size < 10_000
    assert "4,398,046,511,104 bytes" in refusal(hdf5.read, path)


def test_a_tensor_that_repeats_one_number_is_refused(tmp_path):
    path = write_t7(tmp_path / "x.t7")
    data = path.read_bytes()
    shape = struct.pack("<qqqq", 4, 3, 1, 4)
    assert shape in data
    path.write_bytes(data.replace(shape, struct.pack("<qqqq", 1 << 20, 1 << 20, 0, 0)))
    assert "larger than its storage" in refusal(READERS["torch7"][2], path)


def test_a_bomb_is_refused(tmp_path):
    """A MATLAB file whose compressed part unfolds to gigabytes of zeros."""
    path = tmp_path / "x.mat"
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49)
    inner = struct.pack("<IIIIIIIIIIII", 14, 0xFFFFFFF8, 6, 8, 6, 0, 5, 8, 1, 800_000_000, 0x00010001, ord("x"))
    packer = zlib.compressobj(1)
    packed = (
        packer.compress(inner + struct.pack("<II", 9, 0xFFFFFF00))
        + packer.compress(b"\0" * (64 << 20))
        + packer.flush()
    )
    path.write_bytes(header + struct.pack("<II", 15, len(packed)) + packed)
    assert "asks for more memory" in refusal(matconvnet.read, path)


def crash(path):
    os.kill(os.getpid(), 11)


def spin(path):
    while True:
        pass


def devour(path):
    return {"x": np.ones(1 << 36)}, None


def swell(path):
    return {"x": np.zeros(1 << 22)}, None


@pytest.mark.parametrize(
    ("damage", "received"),
    [
        (lambda data: b"", "an empty file"),
        (lambda data: b"<!DOCTYPE html><html>Log in</html>", "a web page"),
        (lambda data: data[: len(data) // 2], "one that is damaged, cut off or of another kind"),
        (lambda data: bytes(1000), "one that is damaged, cut off or of another kind"),
        (lambda data: b"hello " * 90, "one that is damaged, cut off or of another kind"),
    ],
    ids=["empty", "web page", "half", "zeros", "text"],
)
def test_a_damaged_file_is_refused_in_our_words_not_its_readers(damage, received, tmp_path):
    path = tmp_path / "x.mat"
    write_mat(path)
    path.write_bytes(damage(path.read_bytes()))
    assert refusal(matconvnet.read, path) == (
        f"{path}: must be {matconvnet.WHAT}, and complete. Received: {received}. Get the file again, and compare its "
        "size with that where it comes from."
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs limits of resources")
@pytest.mark.parametrize(
    ("reader", "why"),
    [
        ("crash", "SIGSEGV"),
        ("spin", "did not end within 1 s"),
        ("devour", "asks for more memory"),
        ("swell", "33,554,432 bytes"),
    ],
)
def test_a_crash_a_hang_and_a_hunger_are_one_line(reader, why, tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"x" * 100)
    monkeypatch.setattr(isolated, "SECONDS", 1)
    assert why in refusal(lambda file: isolated.read(file, "a file", f"{__name__}:{reader}"), path)


@pytest.mark.parametrize("kind", READERS)
def test_mutated_files_are_read_or_refused_in_one_line(kind, tmp_path):
    """All in a process without TensorFlow, each case in a child of that: a crash is an outcome like another."""
    name, write, _, _ = READERS[kind]
    write(tmp_path / name)
    code = f"import sys; from {__name__} import fuzz; fuzz(*sys.argv[1:])"
    command = [sys.executable, "-c", code, kind, str(tmp_path / name), str(CASES)]
    outcomes = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    print(kind, outcomes)
    assert sum(outcomes.values()) == CASES
    assert outcomes.keys() <= {"read", "refused", "crash", "time"}
    assert outcomes.get("refused", 0) > CASES / 10


def fuzz(kind, whole, cases):
    """Print how often each outcome came. Forks for each case: as `isolated` reads, without starting Python anew."""
    _, _, _, content = READERS[kind]
    whole = Path(whole)
    content(whole)  # imports what it needs
    data, outcomes = whole.read_bytes(), {}
    path = whole.with_name(f"mutated{whole.suffix}")
    for case in range(int(cases)):
        path.write_bytes(mutated(data, np.random.default_rng([len(kind), case])))
        name = outcome(content, path, path.stat().st_size)
        outcomes[name] = outcomes.get(name, 0) + 1
    print(json.dumps(outcomes))
