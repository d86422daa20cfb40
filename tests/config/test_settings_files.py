"""Files of settings are read by a quicker parser, and as OmegaConf would read them."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from scaling_study.config import checked_input

ROOT = Path(checked_input.__file__).parents[2]
SHIPPED = sorted(path for folder in ("conf", "sweeps") for path in (ROOT / folder).rglob("*.yaml"))
# What YAML 1.1, YAML 1.2 and OmegaConf take for different values.
ODD = """\
rates: [1e-3, 1E5, .5, 1_000, .inf, -.5e-1]
dates: [2020-01-01, 2020-01-01 10:00:00]
words: [yes, no, on, ~, null, 0o7, 010, 0x1F, 1:30, 1:30.5, '1', "a\\tb"]
folder: !!python/object/apply:pathlib.Path [a, b]
link: ${rates}
text: |
  two
  lines
? a key
: é
1: number
"""


def composed(folder: Path) -> OmegaConf:
    with initialize_config_dir(str(folder), version_base="1.3"):
        return compose("config")


def read_quickly(path: Path) -> object:
    text = checked_input.check_file(path)
    assert text is not None
    return checked_input.quickly_read(text)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_shipped_files_are_what_omegaconf_reads(path: Path) -> None:
    assert OmegaConf.create(read_quickly(path)) == OmegaConf.load(path)


def test_odd_values_are_what_omegaconf_reads(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(ODD, encoding="utf-8")
    assert read_quickly(path) == OmegaConf.to_container(OmegaConf.load(path))
    assert OmegaConf.to_container(composed(tmp_path)) == OmegaConf.to_container(
        OmegaConf.load(path)
    )


@pytest.mark.parametrize(
    "text", ["a: 1\na: 2\n", "a: {b: 1, b: 2}\n", "a: [1\n", "a: @b\n", "5\n", "- a\n"]
)
def test_what_is_no_settings_is_refused_in_the_same_words(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    said = []
    for read in (checked_input.quickly_read, lambda text: None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(checked_input, "quickly_read", read)
            with pytest.raises(Exception) as raised:
                composed(tmp_path)
            said.append((type(raised.value), str(raised.value)))
    assert said[0] == said[1]
