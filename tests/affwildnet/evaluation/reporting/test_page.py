"""The page of a report: it needs no other file, says why a number is missing, and shows the right crops."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from affwildnet.data import Corpus
from affwildnet.evaluation.reporting import page, worst_moments
from affwildnet.evaluation.reporting.assembly import Source, assemble
from affwildnet.evaluation.reporting.report import Against, PostProcessed
from affwildnet.evaluation.scoring import protocols
from affwildnet.evaluation.scoring.intervals import Difference
from affwildnet.evaluation.scoring.postprocessing import Chosen, ChosenStep
from affwildnet.experiments.published import Published
from tests.helpers.browsing import chromium
from tests.helpers.corpora import identity_of, make_corpus
from tests.helpers.evaluations import evaluation, expression_video, random_utterances, random_video, video
from tests.helpers.trainings import TINY
from tfrecords_tools.errors import UserError

PLOT = b"\x89PNG not really"
PUBLISHED = Published(
    "omg2019",
    "0",
    "CNN-3RNN, V in [0, 1], A in [0, 0.5)",
    "OMG-Emotion, test set",
    {"mse": {"valence": 0.101, "arousal": 0.031}},
    region="V in [0, 1], A in [0, 0.5)",
)


class Tables(HTMLParser):
    """The tables of a page, as rows of cells (text, attributes); and all its tags and texts."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.tags, self.open, self.texts = [], [], None, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.open = ["", dict(attributes)]
            self.tables[-1][-1].append(self.open)

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.open = None

    def handle_data(self, data):
        self.texts.append(data)
        if self.open:
            self.open[0] += data

    def starting(self, *heads):
        """Return the rows of the table whose head begins with `heads`."""
        (found,) = (rows for rows in self.tables if [cell[0] for cell in rows[0]][: len(heads)] == list(heads))
        return found


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus(folder, [{"frames": 30, "video": "a"}, {"frames": [2, 3, 5, 6, 9], "video": "b"}])
    return Corpus.open(folder, "train")


def built(split, corpus, experiment=TINY, protocol="frames", drawn=None, worst=(), **more):
    """Return the report of an evaluation, and its page."""
    experiment = replace(experiment, protocol=protocol)
    scored = protocols.score(split, protocol, experiment.evaluation, resamples=20)
    report = assemble(Source(experiment, corpus, Path("step-00000020.keras"), 20), split, scored, **more)
    text = page.page(report, {"split": PLOT} if drawn is None else drawn, worst)
    return report, text


def test_the_page_needs_no_other_file_and_escapes_names(corpus):
    rng = np.random.default_rng(0)
    split = evaluation(random_video(rng, "<b>one</b> & co", 9), random_video(rng, 'two,"2"', 8))
    published = replace(PUBLISHED, row="<i>net</i>")
    worst = worst_moments.worst(split, corpus)
    _, text = built(split, corpus, replace(TINY, published=(published,)), worst=worst)
    parsed = Tables(text)
    links = [
        value for _, attributes in parsed.tags for key, value in attributes.items() if key in ("src", "href", "action")
    ]
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in links)
    assert sum(link.startswith("data:") for link in links) == 1
    assert not re.search(r"https?:|@import|url\(|<link|<script src", text)
    assert "<b>one</b>" not in text
    assert "<i>net</i>" not in text
    assert parsed.starting("video", "subject")[1][0][0] == "<b>one</b> & co"
    anchors = {attributes["id"] for _, attributes in parsed.tags if "id" in attributes}
    assert {link[1:] for link in links if link.startswith("#")} == anchors


def test_every_dash_says_why(corpus):
    split = evaluation(
        video("constant", [[0.1, 0.2]] * 3, [[0.5, 0.5]] * 3), video("unlabelled", [[np.nan] * 2] * 2, [[0, 0]] * 2)
    )
    report, text = built(split, corpus, replace(TINY, published=(PUBLISHED,)))
    cells = [cell for rows in Tables(text).tables for row in rows for cell in row]
    dashes = [attributes for shown, attributes in cells if shown == "–"]
    assert len(dashes) > 20
    assert all(attributes.get("title") for attributes in dashes)
    titles = {attributes["title"] for attributes in dashes}
    assert {
        "no frame has a label",
        "the labels and predictions are constant",
        "the paper's table does not give it",
    } <= titles
    assert report.scored.scores["pearson"]["valence"] is None
    assert "No value for Pearson of valence and arousal: the labels and predictions are constant." in text
    assert not re.search(r"\bnan\b|\bNone\b", " ".join(Tables(text).texts))


def test_the_table_of_videos_holds_its_numbers_for_sorting(corpus):
    rng = np.random.default_rng(1)
    split = evaluation(
        random_video(rng, "a", 9), video("b" * 60, [[np.nan] * 2], [[0, 0]]), random_video(rng, "c", 1234)
    )
    report, text = built(split, corpus)
    head, *rows = Tables(text).starting("video", "subject")
    assert [cell[0] for cell in head[2:7]] == ["frames", "scored", "CCC valence", "CCC arousal", "CCC mean"]
    assert [cell[1]["data-kind"] for cell in head] == ["text", "text"] + ["number"] * (len(head) - 2)
    assert [row[2][0] for row in rows] == ["9", "1", "1,234"]
    assert [row[2][1]["data-value"] for row in rows] == ["9", "1", "1234"]
    assert float(rows[0][4][1]["data-value"]) == report.scored.per_video[0].scores["ccc"]["valence"]
    assert "data-value" not in rows[1][4][1]
    assert rows[1][0][1]["title"] == "b" * 60
    assert len(rows[1][0][0]) < 40


@pytest.mark.slow
def test_a_browser_sorts_numbers_as_numbers_and_empty_cells_last(corpus, tmp_path):
    rng = np.random.default_rng(2)
    empty = video("b", [[np.nan] * 2] * 500, np.zeros((500, 2)))
    split = evaluation(random_video(rng, "c", 1000), empty, random_video(rng, "a", 9), random_video(rng, "d", 20))
    report, text = built(split, corpus)
    clicks = """() => {
      const heads = document.querySelectorAll("table.sortable th button"), order = [];
      for (const column of [2, 2, 0, 4, 4]) {
        heads[column].click();
        const rows = [...document.querySelectorAll("table.sortable tbody tr")];
        order.push(rows.map(row => row.cells[0].innerText).join(""));
      }
      return order;
    }"""
    text = text.replace("</body>", "<script>document.title = 'foreign'</script></body>")
    (tmp_path / "page.html").write_text(text, "utf-8")
    with chromium() as browser:
        shown, refused = browser.new_page(), []
        shown.on("console", lambda message: refused.append(message.text))
        shown.goto(f"file://{tmp_path / 'page.html'}")
        order, title = shown.evaluate(clicks), shown.title()
        spacing = shown.evaluate("() => getComputedStyle(document.querySelector('td')).paddingTop")
    own = {row.video: row.scores for row in report.scored.per_video}
    rising = "".join(sorted("acd", key=lambda name: own[name]["ccc"]["valence"]))
    assert order == ["adbc", "cbda", "abcd", rising + "b", rising[::-1] + "b"]
    # The policy lets the page's own script and style through, and nothing else: one line says so.
    assert title != "foreign"
    assert spacing not in ("0px", "1px")
    assert len(refused) == 1
    assert "Content Security Policy" in refused[0]


def test_published_regions_stand_beside_their_own(corpus):
    split = random_utterances(np.random.default_rng(3), [[3, 4], [5, 6, 2]], split="test")
    report, text = built(split, corpus, replace(TINY, published=(PUBLISHED,)), protocol="utterances")
    head, *rows = Tables(text).starting("region of the label")
    assert [cell[0] for cell in head[1:]] == [
        "utterances", "MSE valence", "MSE arousal", "published valence", "published arousal",
    ]  # fmt: skip
    by_name = {row[0][0]: [cell[0] for cell in row[1:]] for row in rows}
    region = next(row for row in report.scored.regions if row.region == "V in [0, 1], A in [0, 0.5)")
    assert by_name[region.region][0] == str(region.units)
    assert by_name[region.region][3:] == ["0.101", "0.031"]
    assert by_name["V in [-1, 1], A in [0, 1]"][3:] == ["–", "–"]


def test_post_processing_and_another_checkpoint_are_shown(corpus):
    rng = np.random.default_rng(4)
    split = evaluation(random_video(rng, "a", 9), random_video(rng, "b", 8))
    ccc = {"valence": 0.111, "arousal": 0.222, "mean": 0.1665}
    steps = (
        ChosenStep("median_filter", {"valence": 81, "arousal": 3}),
        ChosenStep("smoothing", {"valence": 0, "arousal": 2}),
    )
    chosen = Chosen(steps, ccc, {name: value + 0.3 for name, value in ccc.items()})
    processed = PostProcessed(chosen, {"ccc": {name: value + 0.5 for name, value in ccc.items()}})
    difference, nothing = Difference(-0.25, -0.5, 0.01, 0.04), Difference(reason="not defined for one of the two")
    other = Against(Path("runs/b"), Path("best"), {"ccc": {"valence": difference, "mean": nothing}})
    _, text = built(split, corpus, post_processing=processed, against=other)
    parsed = Tables(text)
    _, *sizes = parsed.starting("size of")
    assert [[cell[0] for cell in row] for row in sizes] == [["median filter", "81", "3"], ["smoothing", "0", "2"]]
    _, *effect = parsed.starting("CCC")
    assert [[cell[0] for cell in row][:2] for row in effect[:3]] == [
        ["validation, before", "0.111"], ["validation, after", "0.411"], ["validation, without", "0.611"],
    ]  # fmt: skip
    _, first, second = parsed.starting("", "difference")
    assert [cell[0] for cell in first] == ["CCC valence", "-0.250", "-0.500", "+0.010", "0.040"]
    assert {cell[1]["title"] for cell in second[1:]} == {"not defined for one of the two"}


def test_expressions_have_a_confusion_matrix_and_no_ccc(corpus):
    guesses = (("v1", "fear", 2), ("v2", "fear", 0), ("v3", "anger", 0))
    split = evaluation(*(expression_video(name, label, np.eye(7)[[guess]]) for name, label, guess in guesses))
    experiment = replace(
        TINY, published=(Published("p", "12", "net", "EmotiW 2017, validation set", {"accuracy": {"happy": 0.746}}),)
    )
    report, text = built(split, corpus, experiment, protocol="videos", worst=worst_moments.worst(split, corpus))
    parsed = Tables(text)
    _, *rows = parsed.starting("label", "anger")
    assert [cell[0] for cell in rows[2]] == ["fear", "1 (50 %)", "0", "1 (50 %)", *["0"] * 4, "2"]
    assert [cell[0] for cell in rows[0]] == ["anger", "1 (100 %)", *["0"] * 6, "1"]
    assert report.scored.scores["accuracy"]["total"] == pytest.approx(2 / 3)
    assert "CCC" not in "".join(cell[0] for rows in parsed.tables for cell in rows[0])
    # The paper's "happy" is the schema's "happiness".
    _, *compared = next(rows for rows in parsed.tables if rows[-1][0][0].startswith("> [1] p table 12"))
    assert compared[-1][4][0] == "0.746"
    assert not re.search(r"\bnan\b|\bNone\b", " ".join(parsed.texts))


SPLITS = {
    "one frame": lambda: evaluation(video("v", [[0.1, 0.2]], [[0.3, 0.1]])),
    "constant": lambda: evaluation(*(video(name, [[0.1, 0.2]] * 4, [[0.3, 0.1]] * 4) for name in "ab")),
    "one video": lambda: evaluation(random_video(np.random.default_rng(5), "v", 9)),
}


@pytest.mark.parametrize("name", SPLITS)
def test_a_poor_split_has_a_page_without_nan(name, corpus):
    _, text = built(SPLITS[name](), corpus, drawn={})
    texts = " ".join(Tables(text).texts)
    assert not re.search(r"\bnan\b|\binf\b|\bNone\b", texts)
    assert page.NO_CURVES in texts
    if name != "constant":
        assert re.search(r"No interval for .*: it needs two videos with a label\.", texts)


# The worst moments.


def test_worst_moments_are_the_largest_errors_apart_from_each_other():
    errors = np.zeros(40)
    errors[[10, 11, 20, 39]] = [8.5, 9, 7, 8]  # 10 is too near to 11, a tenth of 40 being 4
    errors[0] = np.nan
    assert worst_moments.worst_moments(errors, 3) == [11, 20, 39]
    assert worst_moments.worst_moments(np.array([np.nan, 0.0]), 5) == [1]
    assert worst_moments.worst_moments(np.array([1.0, 2.0, 3.0]), 5) == [0, 1, 2]


def test_worst_videos_show_the_crops_of_their_worst_frames(corpus):
    labels = np.zeros((5, 2))
    near, far = labels + 0.1, labels + [0.2, 0.3]
    far[3] = [1, -2]
    near_by = video("a", np.zeros((30, 2)), np.full((30, 2), 0.1))
    split = evaluation(near_by, video("b", labels, far, frames=[2, 3, 5, 6, 9]), video("c", labels, near))
    first, *others = worst_moments.worst(split, corpus, moments=2)
    assert first.video == "b"
    assert first.error == pytest.approx(np.mean([0.13] * 4 + [5]))
    assert [moment.frame for moment in first.moments] == [2, 6]
    assert first.moments[1].time == pytest.approx(5 / 30)
    for moment in first.moments:
        face = cv2.imdecode(np.frombuffer(moment.crop, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert identity_of(face) == (1, moment.frame)
    by_name = {each.video: each for each in others}
    # The corpus does not hold this video.
    assert [moment.crop for moment in by_name["c"].moments] == [None, None]
    assert len(worst_moments.worst(split, corpus, videos=1)) == 1
    _, text = built(split, corpus, worst=[first])
    assert text.count("data:image/jpeg;base64,") == 2
    assert "0.17 s, frame 6<br>valence +0.00, prediction +1.00<br>arousal +0.00, prediction -2.00" in text


def test_a_crop_that_is_no_image_is_named(corpus, monkeypatch):
    monkeypatch.setattr(worst_moments, "decode_face", lambda _: None)
    with pytest.raises(UserError, match=r"record 1: the face is no image\. Pack the corpus again"):
        worst_moments.worst(evaluation(video("a", [[0, 0]], [[1, 1]])), corpus)
