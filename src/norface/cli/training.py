"""``norface fit|validate|test|predict``: LightningCLI with norface's classes under their short names.

Configurations name a model and a data module by class path; nothing is registered. What is added to LightningCLI: a run
folder, resuming, testing after fitting, results, and errors a user can read.
"""

from __future__ import annotations

import importlib
import signal
import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Literal, NoReturn, Protocol, runtime_checkable

import torch
from lightning import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.plugins import CheckpointIO

import norface.classifier
import norface.data
import norface.normalizer
import norface.teachers  # noqa: F401  # these four: short class names in configurations
from norface.cache.durable import remove_stale
from norface.checkpoints import check_contents
from norface.classifier import MultiTask
from norface.classifier.module import ClassifierTask
from norface.classifier.prediction_table import AnswerTable, PredictionTable
from norface.cli.allowed_code import check_classes, only_code_of
from norface.cli.durable_runs import DurableCheckpointIO, curve_loggers, forget_events
from norface.cli.history import join, set_aside
from norface.cli.launching import quiet
from norface.cli.parsing import usage_error
from norface.cli.results_key import check_results_key, check_section
from norface.cli.versions import run_versions
from norface.errors import CheckpointError, ConfigError
from norface.evaluation import gap_closed
from norface.protocol.sums import MERIT
from norface.results import multi_section, update_results

LAST = "checkpoints/last.ckpt"
HYPER = "hyper_parameters"
KEYWORDS = ("last", "best", "hpc")  # not "registry", which would be downloaded

QUIET: tuple[str, ...] = (
    ".*does not have many workers.*",  # small images: worker processes cost more than they save
    ".*The number of training batches.*is smaller than the logging interval.*",  # tiny runs
    ".*Experiment logs directory .* exists and is not empty.*",  # its metrics.csv was set aside, see `history`
    ".*Checkpoint directory .* exists and is not empty.*",  # a resumed run is meant to continue there
    ".*there is no last checkpoint available.*",  # `--ckpt_path last` on the first start
    ".*module\\(s\\) in eval mode at the start of training.*",  # frozen teachers and the moving average are meant to be
    ".*The dirpath has changed from.*",  # a checkpoint of one run tested in the folder of another
    ".*GPU available but not used.*",  # asked for by --trainer.accelerator cpu
    ".*isinstance\\(treespec, LeafSpec\\).*",  # between Lightning and torch, not ours to change
)
"""Warnings of Lightning that ask for nothing a user should do, each with its reason."""


@runtime_checkable
class Tested(Protocol):
    """A module that can be tested: plain figures, filled when the test epoch ends."""

    test_results: dict[str, object]


class TrainingParser(LightningArgumentParser):
    """Lightning's parser with short errors."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise instead of printing fifty lines of usage.

        Raises:
            UsageError: Always.
        """
        if not self.exit_on_error:  # a parser inside a parser: the outer one tells
            super().error(message, ex)
        raise usage_error(message, prog=self.prog, help_text=self.format_help()) from ex


class NorfaceCLI(LightningCLI):
    """LightningCLI with a run folder, resuming and results; it never loads code from a checkpoint."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Lightning's, without the option to load whatever a checkpoint holds."""
        return {name: skipped | {"weights_only"} for name, skipped in LightningCLI.subcommands().items()}

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        return {**super()._prepare_subcommand_kwargs(subcommand), "weights_only": True}

    def _run_subcommand(self, subcommand: str) -> None:
        try:
            super()._run_subcommand(subcommand)
        except UnpicklingError as error:  # a checkpoint that Lightning has found itself, in the run folder
            raise _not_loaded(error, where=str(self._options()["run"])) from error

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Options besides those of trainer, model and data."""
        parser.add_argument("--run", type=str, default="runs/unnamed", help="Folder for checkpoints, curves, previews.")
        parser.add_argument("--test_after_fit", type=bool, default=False, help="Test the weights after `fit`.")
        parser.add_argument(
            "--test_weights",
            type=Literal["last", "best"],
            default="last",
            help="Which weights: the last, or the best by a ModelCheckpoint that watches a validation figure.",
        )
        parser.add_argument("--results", type=str | None, default=None, help="Results file that test figures go into.")
        parser.add_argument(
            "--results_key", type=str, default="classifier.both", help="Where in the results file, such as probe.raw."
        )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, find the checkpoint, and remember what was asked for."""
        try:
            self.config = parser.parse_args(args)
        except RecursionError:
            raise usage_error("a configuration is nested too deeply", prog=parser.prog, help_text="") from None
        options = self._options()
        check_results_key(options["results_key"])
        last = Path(options["run"]) / LAST
        if options.get("ckpt_path") == "last" and last.is_file():
            options["ckpt_path"] = str(last)
            print(f"resuming from {last}")
        check_checkpoint(options.get("ckpt_path"))
        self._asked = options["model"].clone()

    def before_instantiate_classes(self) -> None:
        """Print each option that the checkpoint's stored hyper-parameters replaced: Lightning does so silently.

        Raises:
            ConfigError: Something else than a class would be called to build an object.
        """
        check_classes(self.config)
        for key, found in self._options()["model"].items():
            asked = self._asked.get(key)
            if asked != found:
                print(f"model.{key}: {found!r} from the checkpoint replaces {asked!r}")
        # Each command leaves its own record, so that testing does not overwrite what was trained.
        self.save_config_kwargs = {"config_filename": f"{self.subcommand}.yaml", "overwrite": True}

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Trainer that writes into the run folder: curves when fitting, nothing but the configuration otherwise."""
        run = self._options()["run"]
        if self._options()["trainer"].get("logger") in {None, True}:
            # Testing makes no curves, and would delete those of the fit.
            kwargs["logger"] = curve_loggers(run) if self.subcommand == "fit" else False
        plugins = self._get(self.config_init, "trainer").get("plugins") or []
        plugins = plugins if isinstance(plugins, list) else [plugins]
        if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
            kwargs["plugins"] = [*plugins, DurableCheckpointIO()]
        return super().instantiate_trainer(default_root_dir=run, **kwargs)

    def instantiate_classes(self) -> None:
        """Build what was named, and see that its results have a place."""
        super().instantiate_classes()
        options = self._options()
        if options.get("results"):
            check_section(str(options.get("results_key", "")), self.model)

    def before_fit(self) -> None:
        """Keep the curves of an interrupted run; remove what it had not finished writing."""
        self._watched()  # a mistake shows before training
        run = Path(self._options()["run"])
        for folder in (run, (run / LAST).parent):
            remove_stale(folder)
        resuming = bool(self._options()["ckpt_path"])
        set_aside(run, resuming=resuming)
        if not resuming:
            forget_events(run)

    def after_fit(self) -> None:
        """Join the curves; test, where asked for."""
        join(Path(self._options()["run"]))
        if self._options()["test_after_fit"]:
            self.before_test()
            watched = self._watched()
            given: dict[str, Any] = {"datamodule": self.datamodule, "weights_only": True}
            given["ckpt_path"] = None if watched is None else watched.best_model_path or None
            if isinstance(self.model, ClassifierTask):  # its answers for validation subjects, for calibration
                self.trainer.validate(self.model, verbose=False, **given)
            self.trainer.test(self.model, **given)
            self.after_test()

    def _watched(self) -> ModelCheckpoint | None:
        """What keeps the best weights; None where the last are tested.

        Raises:
            ConfigError: Nothing does, or not by a figure of validation subjects.
        """
        options = self._options()
        if options.get("test_weights", "last") == "last":
            return None
        kept = [one for one in self.trainer.checkpoint_callbacks if isinstance(one, ModelCheckpoint) and one.monitor]
        if len(kept) != 1 or not str(kept[0].monitor).startswith("val/"):
            raise ConfigError(
                expected="one ModelCheckpoint whose monitor is a validation figure, such as val/score",
                found=", ".join(str(one.monitor) for one in kept) or "none",
                where="trainer.callbacks, because of --test_weights best",
                action="Add configs/classifier/early_stopping.yaml, or leave --test_weights out.",
            )
        return kept[0]

    def before_test(self) -> None:
        """A classifier's answers for the test faces go into the run folder."""
        if isinstance(self.model, ClassifierTask):
            self.trainer.callbacks.append(AnswerTable(Path(self._options()["run"])))  # type: ignore[attr-defined]

    def before_validate(self) -> None:
        """Those for the validation faces likewise."""
        self.before_test()

    def before_predict(self) -> None:
        """A classifier's predictions become a table in the run folder."""
        if isinstance(self.model, ClassifierTask):
            self.trainer.callbacks.append(PredictionTable(Path(self._options()["run"])))  # type: ignore[attr-defined]

    def after_predict(self) -> None:
        """Say where it is."""
        if isinstance(self.model, ClassifierTask) and self.trainer.is_global_zero:
            print(f"{Path(self._options()['run']) / 'predictions.parquet'} and .csv: one row per face")

    def after_test(self) -> None:
        """Write the test figures into the results file."""
        options = self._options()
        if not options["results"]:
            return
        if not isinstance(self.model, Tested):
            raise ConfigError(
                expected="a model whose test gives results",
                found=type(self.model).__name__,
                where="--results",
                action="Leave --results out; this model has no test figures.",
            )
        path = Path(options["results"])
        section, _, name = str(options["results_key"]).partition(".")
        facts = {"seed": int(options["seed_everything"]), "versions": run_versions()}
        protocol = dict(getattr(self.datamodule, "protocol", None) or {})
        if self.subcommand == "fit" and (watched := self._watched()) is not None:
            protocol["selection"] = f"weights with the best {watched.monitor}"
        if protocol:
            facts["protocol"] = protocol
        blocks = {section: dict(self.model.test_results)}
        if isinstance(self.model, MultiTask):
            blocks = {multi_section(task): dict(block) for task, block in self.model.test_results.items()}
        merged = update_results(path, {key: {name: block} for key, block in blocks.items()} | facts)
        gaps = {key: {"gap_closed": gap} for key in blocks if (gap := compare(merged[key])) is not None}
        if gaps:
            update_results(path, gaps)

    def _options(self) -> Any:
        return self.config[self.config["subcommand"]] if "subcommand" in self.config else self.config


def compare(section: object) -> float | None:
    """Share of the way from originals to true normalized faces that both images together go; None where not known.

    Args:
        section: A classifier's part of the results: scores by what was read.
    """
    scores = [_score(section, name) for name in ("raw", "both", "oracle")]
    raw, both, oracle = scores
    return None if raw is None or both is None or oracle is None else gap_closed(raw, both, oracle)


def _score(section: object, name: str) -> float | None:
    block = section.get(name) if isinstance(section, Mapping) else None
    if not isinstance(block, Mapping):
        return None
    score = block.get(MERIT[str(block.get("task", "fer"))])
    return float(score) if isinstance(score, int | float) else None


def check_checkpoint(path: str | None) -> None:
    """Make sure that a checkpoint can be opened, before anything is built.

    Raises:
        CheckpointError: Missing, truncated, or holding code.
    """
    if not path or path in KEYWORDS:
        return
    if not Path(path).is_file():
        raise CheckpointError(
            expected="a checkpoint",
            found="no such file",
            where=path,
            action="Correct the path, or leave --ckpt_path out to start anew.",
        )
    try:
        check_contents(Path(path))
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch raises many types here: pickle, zip, runtime, end of file
        raise _not_loaded(error, where=path) from error
    kept = checkpoint if isinstance(checkpoint, dict) else {}
    if not {"state_dict", "epoch", "global_step"} <= kept.keys() or not isinstance(kept.get(HYPER, {}), dict):
        raise CheckpointError(
            expected="a checkpoint that `norface fit` wrote",
            found=f"{type(checkpoint).__name__} with {', '.join(map(str, kept))[:160] or 'nothing'}",
            where=path,
            action="Name a .ckpt file of a run.",
        )


def _not_loaded(error: Exception, where: str) -> CheckpointError:
    return CheckpointError(
        expected="a readable checkpoint",
        found=f"{type(error).__name__}: {(str(error).splitlines() or ['no message'])[0][:160]}",
        where=where,
        action="The file is damaged or holds code, which was not run: delete it. Correct the path, or leave "
        "--ckpt_path out to start anew.",
    )


def make_cli(args: list[str], *, run: bool = True, kind: type[NorfaceCLI] = NorfaceCLI) -> NorfaceCLI:
    """Parse a command line and build what it names.

    Args:
        args: Subcommand and options; without `run`, options only.
        run: Also run the subcommand.
        kind: Class of the command line.
    """
    with only_code_of(()):  # from Python too; packages that the command line allows stay allowed
        return kind(
            LightningModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            seed_everything_default=0,
            parser_class=TrainingParser,
            parser_kwargs={"prog": "norface", "allow_abbrev": False},
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=args,
            run=run,
        )


class _Parsed(NorfaceCLI):
    """Reads the settings and builds nothing."""

    def instantiate_classes(self) -> None:
        """Nothing."""


def parsed_model(args: list[str]) -> type:
    """Class of the model that a command line of `fit`, without the command, asks for; all of it is checked.

    Raises:
        UsageError: A setting does not exist, or has a value of the wrong type.
    """
    quiet()
    config = make_cli(args, run=False, kind=_Parsed).config
    module, _, name = str(config["model"]["class_path"]).rpartition(".")
    model = getattr(importlib.import_module(module), name)
    assert isinstance(model, type)
    return model


def main(args: list[str]) -> int:
    """Run one training command; `args` starts with its name.

    Returns:
        Exit code.
    """
    quiet()
    handler = signal.getsignal(signal.SIGINT)
    try:
        with warnings.catch_warnings():
            for message in QUIET:
                warnings.filterwarnings("ignore", message=message)
            make_cli(args)
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):  # Lightning's way of ending after Ctrl-C
            raise KeyboardInterrupt from end
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        signal.signal(signal.SIGINT, handler)
    return 0
