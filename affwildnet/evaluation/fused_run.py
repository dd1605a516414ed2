"""Decision-level fusion of trained networks (omg2019 section 5.4.2): one working directory made from several."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from affwildnet import experiments
from affwildnet.evaluation import fused_members
from affwildnet.evaluation.scoring import protocols
from affwildnet.evaluation.selection import Choices, Selected, check_fusion, check_members
from affwildnet.evaluation.trained import Trained
from affwildnet.experiments.config import Experiment, ModelConfig
from affwildnet.models.fusion import fuse_decisions
from affwildnet.runs import best, card, checkpoints, rehearsals
from affwildnet.runs.workdir import Workdir
from tfrecords_tools.errors import UserError
from tfrecords_tools.records.schema import DIMENSIONS

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """A network to fuse.

    Attributes:
      trained: the network and the run that it is from.
      ccc: (2,) CCC of valence and arousal on the validation split, by the experiment's protocol, after its
        post-processing.
    """

    trained: Trained
    ccc: np.ndarray


def fuse(workdirs: Sequence[Workdir | Path | str], into: Workdir | Path | str, choices: Choices) -> None:
    """Fuse the networks of working directories, weighted by their validation CCC (omg2019 eq. 1).

    `into` becomes a working directory like any other, with the fused network as its best checkpoint.

    Args:
      workdirs: at least two, trained on one corpus.
      into: new, or made by an earlier fusion.
      choices: the `checkpoint` of each, and how they are scored; the split is validation in any case.

    Raises:
      UserError: if there are fewer than two, if `into` holds a run that was trained, if the networks were trained on
        different corpora, for expressions, or if one has a CCC that is not above 0 and is not narrow, for a rehearsal.
    """
    into, workdirs = Workdir.at(into), [Workdir.at(workdir) for workdir in workdirs]
    check_fusion(workdirs, into, choices.checkpoint)
    check_members([Selected(workdir, choices) for workdir in workdirs])
    members = []
    for workdir in workdirs:
        member = _member(Trained(workdir, choices))
        ccc = ", ".join(f"{name} {value:.3f}" for name, value in zip(DIMENSIONS, member.ccc, strict=True))
        _log.info(f"{member.trained.checkpoint}: validation CCC {ccc}")
        members.append(member)
    _check(members)
    model = fuse_decisions([member.trained.model for member in members], _weights(members))
    into.start(replace(members[0].trained.run, experiment=_experiment(members), stage=None))
    path = best.path_of(into)
    into.best.mkdir(parents=True, exist_ok=True)
    checkpoints.write_model(model, path, _card(members))
    fused_members.store(path, _origin(members), [member.trained for member in members])


def _member(trained: Trained) -> Member:
    experiment = trained.experiment
    final = trained.post_processing.apply(trained.predictions("validation"))
    ccc = protocols.ranking(final, experiment.protocol, experiment.evaluation)
    return Member(trained, np.array([ccc[name] for name in DIMENSIONS]))


def _check(members: Sequence[Member]) -> None:
    for member in members:
        if not ((member.ccc > 0).all() or all(map(_rehearses, members))):
            raise UserError(
                f"{member.trained.checkpoint}: to be fused, a network must have a validation CCC above 0. "
                f"Received: {', '.join(f'{value:.3f}' for value in member.ccc)}. Leave it out of `fuse`."
            )


def _weights(members: Sequence[Member]) -> np.ndarray:
    """Return the weight of each network, (members, 2): its CCC.

    Narrow networks of a rehearsal may have learned nothing, and are to be fused all the same: alike.
    """
    ccc = np.stack([member.ccc for member in members])
    if (ccc > 0).all():
        return ccc
    _log.warning("a rehearsal: the networks have the same weight each, as not all have a CCC above 0")
    return np.ones_like(ccc)


def _rehearses(member: Member) -> bool:
    experiment = member.trained.experiment
    registered = experiments.EXPERIMENTS.get(experiment.name)
    return registered is not None and experiment.model.width < registered.model.width


def _experiment(members: Sequence[Member]) -> Experiment:
    """Return the first member's with the fused network; a paper's own fusion of these networks keeps name and rows."""
    models = tuple(member.trained.experiment.model for member in members)
    names = [member.trained.experiment.name for member in members]
    papers = tuple(experiments.EXPERIMENTS[name].model for name in names if name in experiments.EXPERIMENTS)
    training = replace(members[0].trained.experiment.training, stages=())
    for published in experiments.EXPERIMENTS.values():
        if published.model.fusion == "decision" and published.model.members == papers:
            fused = replace(published.model, members=models, image_size=models[0].image_size)
            return replace(published, model=fused, training=training)
    first = members[0].trained.experiment
    return replace(
        first,
        name="decision_fusion",
        title=f"Weighted mean of the predictions of {' + '.join(names)}",
        model=ModelConfig(members=models, fusion="decision", image_size=first.model.image_size, hidden=()),
        training=training,
        published=(),
        notes="",
    )


def _card(members: Sequence[Member]) -> card.Card | None:
    """Return the first member's card with the origin of all; networks for crops of different sizes are not fused."""
    first = card.read(members[0].trained.checkpoint)
    return first and replace(
        first,
        experiment="decision_fusion",
        provenance={"fused": _origin(members), rehearsals.FIELD: list(_rehearsal(members))},
    )


def _rehearsal(members: Sequence[Member]) -> tuple[str, ...]:
    """Return why one of the members is a rehearsal; such a fusion is one too."""
    return tuple(
        f"{reason} ({member.trained.experiment.name})" for member in members for reason in member.trained.rehearsal
    )


def _origin(members: Sequence[Member]) -> list[dict]:
    return [
        {
            "checkpoint": str(member.trained.checkpoint),
            "experiment": member.trained.experiment.name,
            "validation_ccc": dict(zip(DIMENSIONS, member.ccc.tolist(), strict=True)),
        }
        for member in members
    ]
