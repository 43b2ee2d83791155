"""How a classifier is trained and tested: what the three tasks share."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

import norface
from norface.backbones import Backbone, ConvEncoder, load_encoder
from norface.checkpoints import trained_people
from norface.classifier.checkpoint import Header, check_alignment, check_same, classifier_header
from norface.classifier.contract import LabelledFaces, Prediction, plain
from norface.classifier.definition import TaskDefinition
from norface.classifier.inference import build_classifier
from norface.classifier.mixup import mixed
from norface.classifier.network import Classified, ExpressionClassifier
from norface.classifier.schedule import adamw, layer_scales, warmup_cosine
from norface.classifier.streams import Streams
from norface.classifier.usage import ExpertUse, TestedFaces
from norface.errors import CheckpointError, ConfigError, TrainingError
from norface.samples import FaceSample
from norface.specs import build, describe
from norface.training import EpochMeans, compile_in_place, require_finite, seed_step

_log = logging.getLogger(__name__)


class ClassifierTask(L.LightningModule, TaskDefinition):
    """Trains and tests an `ExpressionClassifier`; subclasses add labels, loss and scores of one task.

    The number of outputs comes from the data module, or from the checkpoint. AdamW without decay on biases and norms,
    linear warm-up, then cosine to zero, per step. Dropout and routing noise are drawn from (`seed`, epoch, batch),
    so a resumed run equals an uninterrupted one.

    After a test, `test_results` holds everything that was measured as plain data (None = not available).

    Args:
        backbone: Image encoder; None = the small preset for faces of 64 px.
        streams: Which images to read: both, or one alone as an ablation.
        shared_backbone: Whether one encoder reads both streams.
        features: Length of feature vectors and of labels' representations.
        hidden: Hidden units of one expert.
        grid: Cells per side of the pooled embedding grid.
        experts: Experts of either mixture.
        top_k: Experts that one gate chooses.
        input_experts, output_experts: Whether there is this mixture, or a dense block of its capacity as an ablation.
        dropout: Of pooled embeddings and of the experts' hidden units.
        balance_weight: Weight of the experts' importance and load balance.
        lr: Highest learning rate.
        weight_decay: Of AdamW.
        warmup: Share of all steps with a rising learning rate.
        layer_decay: Factor between the learning rates of a layer of the backbone and the next one (Clark et al. 2020);
            the heads have `lr`. 1 = all the same; 0.65 to 0.75 is usual where a large backbone was trained before.
        mixup: alpha of mixup; 0 = none. See `norface.classifier.mixup`.
        encoder_weights: Checkpoint whose encoder the backbone starts from: a normalizer's, or a teacher's.
        seed: Of dropout and routing noise.
        compile: Whether `torch.compile` translates the network when training starts: minutes once, then faster steps,
            above all on a GPU. Checkpoints are the same.
    """

    def __init__(
        self,
        *,
        backbone: Backbone | None = None,
        streams: Streams = "both",
        shared_backbone: bool = True,
        features: int = 128,
        hidden: int = 128,
        grid: int = 4,
        experts: int = 4,
        top_k: int = 2,
        input_experts: bool = True,
        output_experts: bool = True,
        dropout: float = 0.2,
        balance_weight: float = 0.001,
        lr: float = 2e-3,
        weight_decay: float = 0.05,
        warmup: float = 0.1,
        layer_decay: float = 1.0,
        mixup: float = 0.0,
        encoder_weights: str | None = None,
        seed: int = 0,
        compile: bool = False,
    ) -> None:
        super().__init__()
        if not 1 <= top_k <= experts:
            raise ConfigError(
                expected=f"a number from 1 to {experts}, the number of experts",
                found=str(top_k),
                where="model.init_args.top_k",
                action="Choose fewer experts per gate, or more experts.",
            )
        self.parts: dict[str, Any] = {
            "streams": streams,
            "shared_backbone": shared_backbone,
            "features": features,
            "hidden": hidden,
            "grid": grid,
            "experts": experts,
            "top_k": top_k,
            "input_experts": input_experts,
            "output_experts": output_experts,
            "dropout": dropout,
        }
        # As a description: a module here would appear a second time in the checkpoint.
        self.backbone = describe(backbone if backbone is not None else ConvEncoder())
        self.streams = streams
        self.experts = {"input_experts": experts * input_experts, "output_experts": experts * output_experts}
        self.balance_weight, self.lr, self.weight_decay, self.warmup = balance_weight, lr, weight_decay, warmup
        self.layer_decay, self.mixup = layer_decay, mixup
        self.encoder_weights, self.seed, self.compiled = encoder_weights, seed, compile
        self.network: ExpressionClassifier | None = None
        self.header: Header | None = None
        self.test_results: dict[str, Any] = {}
        self._known: Tensor | None = None  # known training labels of this epoch, None before its first batch
        self._means = EpochMeans()
        self._fresh = False

    # Setup and checkpoints --------------------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        """Build network, loss and scores for the data module's labels."""
        if stage == "predict":
            return  # labels come from the checkpoint: the faces may have none
        faces: LabelledFaces = self.trainer.datamodule  # type: ignore[attr-defined]
        header = self._describe(faces)
        self.names = self.label_names(header)
        if self.network is None or self.header is None:
            self.make_network()
        else:  # trained before, or loaded
            same = {**header, "network": self.header["network"]}
            check_same(self.header, same, self.label_names, where="data module")
            if stage == "fit":
                self.header["subjects"] = sorted({*self.header["subjects"], *header["subjects"]})
        assert self.network is not None, "made just now, or before"
        self.loss = self.make_loss(faces).to(self.device)
        if stage == "fit":
            self._set_balance(faces)
        self.val_scores, self.test_scores = self.make_scores(), self.make_scores()
        stream_names = self.network.streams.names
        self.expert_use = ExpertUse(labels=len(self.names), streams=len(stream_names), **self.experts)
        self.tested_faces = TestedFaces()

    def make_network(self) -> None:
        """Build the network for the data module's labels; for callbacks that need its weights before `setup`."""
        faces: LabelledFaces = self.trainer.datamodule  # type: ignore[attr-defined]
        header = self._describe(faces)
        backbone = self._backbone()
        backbone.settle()
        network = ExpressionClassifier(backbone, labels=self.outputs(header), **self.parts)
        header["network"] = describe(network)
        self.network, self.header, self._fresh = network, header, True

    def _set_balance(self, faces: LabelledFaces) -> None:
        assert self.network is not None and self.header is not None, "setup has made them"
        taught = self.taught(faces)
        if bool(taught.any()):  # if none is, the first epoch ends with an error
            self.network.taught.copy_(taught)
        balancing = {"sampling": faces.sampling, "loss_weights": self.loss_weights() or None}
        self.header["balancing"] = balancing
        _log.info("training faces are drawn by %(sampling)s sampling; loss weights: %(loss_weights)s", balancing)

    def _backbone(self) -> Backbone:
        backbone = build(self.backbone, where="model.init_args.backbone")
        assert isinstance(backbone, Backbone)  # it was described from one
        return backbone

    def _describe(self, faces: LabelledFaces) -> Header:
        return {
            "kind": "classifier",
            "version": norface.__version__,
            "alignment": faces.alignment.describe(),
            "subjects": [str(subject) for subject in faces.subjects],
            "task": self.task,
            "emotions": list(faces.emotions),
            "aus": [int(au) for au in faces.aus],
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the plain description that inference needs."""
        checkpoint["norface"] = self.header

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint of another kind, task, labels or crops; build a network if there is none.

        Raises:
            CheckpointError: It is not a classifier for this task, these labels and this network.
            AlignmentError: It was trained on other crops.
        """
        where = str(self.trainer.ckpt_path) if self._trainer is not None else "checkpoint"
        content = classifier_header(checkpoint, where=where, task=self.task)
        if self.network is None or self.header is None:
            self.network = build_classifier(content, where=where)
            self.names = self.label_names(content)
        else:
            check_same(content, self.header, self.label_names, where=where)
        self.header, self._fresh = content, False

    # Steps ------------------------------------------------------------------------------------------------------

    def forward(self, original: Tensor, normalized: Tensor) -> Classified:
        """Images ``(B, 3, H, W)`` in [-1, 1] to the network's answer."""
        assert self.network is not None, "setup or a checkpoint makes the network"
        answer: Classified = self.network(original, normalized)
        return answer

    def on_fit_start(self) -> None:
        """Start the encoder from the normalizer's, unless a checkpoint has filled the network already."""
        if self._fresh and self.network is not None and self.encoder_weights is not None:
            for backbone in self.network.streams.backbones:
                load_encoder(backbone, self.encoder_weights)
            if self.header is not None:  # whoever the encoder has seen, the classifier has seen
                self.header["subjects"] = sorted({*self.header["subjects"], *trained_people(self.encoder_weights)})
        self._fresh = False
        if self.compiled and self.network is not None:
            compile_in_place(self.network)

    def on_predict_start(self) -> None:
        """Refuse to predict without a network, or on other crops."""
        if self.network is None or self.header is None:
            raise CheckpointError(
                expected="a trained classifier",
                found="none",
                where="ckpt_path",
                action="Give the checkpoint of a trained classifier, --ckpt_path=... .",
            )
        faces: LabelledFaces = self.trainer.datamodule  # type: ignore[attr-defined]
        check_alignment(self.header, faces.alignment.describe(), where="data module")

    def on_test_start(self) -> None:
        """Refuse to test on people that were trained on."""
        faces: LabelledFaces = self.trainer.datamodule  # type: ignore[attr-defined]
        if self.header is not None:
            faces.check_unseen(self.header["subjects"])

    def on_train_epoch_start(self) -> None:
        """Count this epoch's known labels from nothing."""
        self._known = None

    def on_train_epoch_end(self) -> None:
        """Log the means of the loss; stop if there was nothing to learn from."""
        for name, mean in self._means.take().items():  # empty where a run was stopped just before the epoch's end
            self.log(name, mean, prog_bar=name == "train/loss", sync_dist=True)
        if self._known is not None and not bool(self._known):
            raise TrainingError(
                expected=f"labels for task {self.task}",
                found="a training split in which every one is unknown",
                where="face table",
                action="Give a table with these labels, or choose another task.",
            )

    def shared_step(self, batch: FaceSample, split: str) -> tuple[Classified, Tensor]:
        """Answer and total loss of one batch; notes the loss.

        Raises:
            TrainingError: The loss is not finite.
        """
        labels = self.labels(batch)
        if split == "train" and self.mixup > 0:
            mix = mixed(batch["original"], batch["normalized"], alpha=self.mixup)
            answer = self(mix.original, mix.normalized)
            own, others = (self.loss(answer.logits, some) for some in (labels, labels[mix.partner]))
            loss = mix.share * own + (1.0 - mix.share) * others
        else:
            answer = self(batch["original"], batch["normalized"])
            loss = self.loss(answer.logits, labels)
        size = len(labels) if split == "train" else int(batch["counts"].sum())
        if split == "train":
            known = self.known(labels).sum()
            self._known = known if self._known is None else self._known + known
            self._means.update({"train/loss": loss, "train/balance": answer.balance}, size=size)
        else:
            self.log(
                f"{split}/loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=size, sync_dist=True
            )
        where = f"{type(self).__name__}, {split} step {self.global_step}"
        folder = Path(self.trainer.default_root_dir)
        require_finite({"loss": loss.detach()}, where=where, batch=batch, folder=folder)
        return answer, loss + self.balance_weight * answer.balance

    def training_step(self, batch: FaceSample, batch_idx: int) -> Tensor:
        """Total loss."""
        seed_step(self.seed, self.current_epoch, batch_idx, rank=self.global_rank)
        if batch_idx == 0:
            self._check_streams(batch)
        return self.shared_step(batch, "train")[1]

    def validation_step(self, batch: FaceSample, batch_idx: int) -> Prediction:
        """Accumulate scores; hand the answers on, see `AnswerTable`."""
        answer, _ = self.shared_step(batch, "val")
        self.val_scores.update(self.activate(answer.logits), self.labels(batch))
        return self._prediction(batch, answer)

    def test_step(self, batch: FaceSample, batch_idx: int) -> Prediction:
        """Accumulate scores, expert use and counts; hand the answers on, see `AnswerTable`."""
        if batch_idx == 0:
            self._check_streams(batch)
        answer, _ = self.shared_step(batch, "test")
        labels = self.labels(batch)
        self.test_scores.update(self.activate(answer.logits), labels)
        counts = batch["counts"]  # the others' labels are unknown: scores leave them out by themselves
        self.expert_use.update(answer.input_gates[counts], answer.output_gates[counts], self.presence(labels)[counts])
        self.tested_faces.update(batch["subject"][counts])
        return self._prediction(batch, answer)

    def predict_step(self, batch: FaceSample, batch_idx: int) -> Prediction:
        """Probabilities, or intensities, of every face, and the gates behind them."""
        return self._prediction(batch, self(batch["original"], batch["normalized"]))

    def _prediction(self, batch: FaceSample, answer: Classified) -> Prediction:
        assert self.network is not None, "it has answered"
        counts = batch["counts"]
        gates = dict(zip(self.network.streams.names, answer.input_gates[counts].unbind(1), strict=True))
        return {
            "face_id": [name for name, asked in zip(batch["face_id"], counts.tolist(), strict=True) if asked],
            "answers": self.activate(answer.logits[counts]),
            "gates": {**gates, "output": answer.output_gates[counts].mean(1)},
        }

    def _check_streams(self, batch: FaceSample) -> None:
        if self.streams != "original" and torch.equal(batch["original"], batch["normalized"]):
            raise ConfigError(
                expected=f"normalized faces for streams: {self.streams}",
                found="the originals in their place",
                where="data.init_args.source",
                action="Set the source of normalized faces to cache or truth, or streams to original.",
            )

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the whole split."""
        scores = self.val_scores.compute()
        self.log_dict({f"val/{name}": value for name, value in self.summary(scores).items()}, prog_bar=True)
        self.val_scores.reset()

    def on_test_epoch_end(self) -> None:
        """Log the scores and keep everything measured in `test_results`."""
        assert self.network is not None, "a test has a network"
        scores = self.test_scores.compute()
        self.log_dict({f"test/{name}": value for name, value in self.summary(scores).items()})
        use = self.expert_use.compute()
        by_stream = dict(zip(self.network.streams.names, use["input_by_stream"], strict=True))
        of_input = {"input": use["input"], "input_by_stream": by_stream} if self.experts["input_experts"] else {}
        of_output = {"output": use["output"]} if self.experts["output_experts"] else {}
        results: dict[str, Any] = {
            "task": self.task,
            "streams": self.streams,
            "labels": list(self.names),
            **self.results(scores),
            "balancing": (self.header or {}).get("balancing"),
            "expert_use": {**of_input, **of_output},
            **self.tested_faces.compute(),
        }
        self.test_results = {name: plain(value) for name, value in results.items()}
        for metric in (self.test_scores, self.expert_use, self.tested_faces):
            metric.reset()

    # Optimisation -----------------------------------------------------------------------------------------------

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW with warm-up and cosine, stepped with every batch."""
        total = self.trainer.estimated_stepping_batches
        if not math.isfinite(total):
            raise ConfigError(
                expected="a finite number of epochs or steps",
                found="endless training",
                where="trainer.max_epochs",
                action="Set it: the learning rate falls to zero at the end.",
            )
        assert self.network is not None, "setup has made it"
        scales = layer_scales(self.network.streams.backbones, self.layer_decay)
        precision = str(self.trainer.precision)
        optimizer = adamw(self, lr=self.lr, weight_decay=self.weight_decay, precision=precision, scales=scales)
        schedule = warmup_cosine(optimizer, total=int(total), warmup=self.warmup)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
