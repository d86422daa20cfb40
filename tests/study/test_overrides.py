"""The command that repeats a run, as it is printed."""

from dataclasses import asdict

import hydra
import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from helpers.printed_commands import composed
from helpers.tiny import tiny
from scaling_study.common.paths import data_dir
from scaling_study.grid.run_at_point import run_at
from scaling_study.study.overrides import command, overrides, text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3),
)


@given(st.text(max_size=30) | VALUES)
@example("A²")
def test_values_are_written_in_the_grammar_of_overrides(value):
    if isinstance(value, str) and ("\n" in value or "\r" in value or "$" in value):
        return  # a name in a config has neither
    (parsed,) = OverridesParser.create().parse_overrides([f"key={text(value)}"])
    assert parsed.value() == value


def settings_of(*words):
    with hydra.initialize_config_dir(str(data_dir("conf")), version_base="1.3"):
        settings = OmegaConf.to_container(hydra.compose("train", list(words)), resolve=True)
    run = run_at(settings, {})
    return run


def stored(run):
    """A run's config as its config.yaml says it."""
    return yaml.safe_load(yaml.safe_dump(asdict(run)))


KINDS = (
    (),
    ("data=digits", "model.depth=26", "seed=3", "precision=fp32"),
    ("train.weight_decay=1e-5", "train.channels_last=false", "model.width=1.5"),
    ("model=efficientnet", "model.depth=1.2", "data.resolution=32"),
    ("+preset=resnet_rs_50_160", "data=imagenet", f"data.root={text('/a ${b} c')}"),
    ("train=paper", "train.batch_size=32", "model.depth=200", "metrics_every_s=1"),
    ("train=efficientnet", "train.batch_size=32", "data=cifar10", "tracking=offline"),
)


@pytest.mark.slow
@pytest.mark.parametrize("run", [*KINDS, tiny()], ids=str)
def test_the_printed_command_leads_to_the_same_run(run):
    run = settings_of(*run) if isinstance(run, tuple) else run
    again, folder = composed(command(stored(run), "a folder/with 'signs' & more"))
    assert again.run_id == run.run_id
    assert folder == "a folder/with 'signs' & more"


def test_a_run_from_a_file_of_weights_is_repeated_from_it(tmp_path):
    file = tmp_path / "it's.pt"
    file.write_bytes(b"weights")
    run = settings_of("+preset=resnet_rs_50_160", "data=imagenet", f"init={text(f'timm:{file}')}")
    assert composed(command(stored(run), "repeated"))[0].run_id == run.run_id


def test_defaults_need_no_override():
    assert overrides(stored(settings_of("precision=fp32"))) == ["precision=fp32"]
    assert "data=digits" in overrides(stored(settings_of("data=digits")))
    assert "seed=7" in overrides(stored(tiny(seed=7)))


def test_a_run_from_before_a_setting_is_repeated_without_a_word_about_it():
    config = stored(tiny())
    later = {"train": ["mixup", "clip_norm", "resolutions"], "data": ["augment_ops", "erasing"]}
    for group, names in later.items():
        for name in names:
            del config[group][name]
    words = overrides(config)
    assert not any(name in word for word in words for names in later.values() for name in names)
    again, _ = composed(command(config, "results"))
    assert again.run_id == tiny().run_id


def test_a_run_that_starts_from_another_is_repeated_from_it() -> None:
    run = tiny(init="run:d14-w0.125-s0-abc")
    found = overrides(yaml.safe_load(yaml.safe_dump(asdict(run))))
    (init,) = (text for text in found if text.startswith("init="))
    assert tiny(init=init.partition("=")[2].strip("'")).run_id == run.run_id
