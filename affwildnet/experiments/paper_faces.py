"""What found the faces and landmarks of each paper: none of the detectors here."""

_DPM = "a deformable part model, FFLD2 (Mathias et al. 2014)"
_GIVEN = "with landmarks of a method of their own. Both come with Aff-Wild, and are packed as they come"

FACES = {
    "sample": "found afresh, by what the packed corpus says",
    "ijcv2019": f"found in every frame by {_DPM}, {_GIVEN}; with `pack --detect` they are those of another detector",
    "cvprw2017": f"found by {_DPM}, {_GIVEN}",
    "omg2019": f"found in every frame by {_DPM}, with dlib's 68 landmarks. Packing finds the faces afresh, by another "
    "detector, and has the same landmarks with `--landmarks=dlib`",
    "thesis2018": f"found in every frame by {_DPM}. Packing finds them afresh, by another detector",
}
