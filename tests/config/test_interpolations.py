"""What interpolations stand for is counted without writing it out."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from scaling_study.common.errors import InputError
from scaling_study.config.hydra_app import composed
from scaling_study.config.interpolations import check_interpolations

WORD = "x" * 2000


def doubled(first: str, refer: str, count: int) -> dict[str, Any]:
    """Texts of which each refers twice to the one before it, as `refer` says."""
    texts = {f"b{n}": refer.format(n - 1, n=n) * 2 for n in range(1, count + 1)}
    return {"b0": first} | texts


@pytest.mark.parametrize(
    "values",
    [
        doubled(WORD, "${{b{}}}", 12),
        {"a": doubled(WORD, "${{.b{}}}", 12)},
        {"a": doubled(WORD, "${{a.b{}}}", 12)},
        doubled(WORD, "${{oc.select:b{},none}}", 12),
        {"m": "b", **doubled(WORD, "${{${{m}}{}}}", 12)},
        {
            "a": [WORD],
            **{f"b{n}": [f"${{{'a' if n == 0 else f'b{n - 1}'}}}"] * 2 for n in range(12)},
        },
    ],
    ids=["absolute", "relative", "dotted", "resolver", "nested", "lists"],
)
def test_what_doubles_too_often_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"b\d+(\.\d)?: its interpolations stand for more than"):
        check_interpolations(values)


@pytest.mark.parametrize(
    "values",
    [
        doubled(WORD, "${{b{}}}", 5),
        {"a": "${b}", "b": "${a}"},  # OmegaConf tells
        {"a": "${nowhere}", "b": "${", "c": None, 3: 4.5},
        {"a": ["x" * 100] * 100_000},  # long as it is written
    ],
    ids=["few", "circle", "nowhere", "long"],
)
def test_others_are_left_to_omegaconf(values: dict[str, Any]) -> None:
    check_interpolations(values)


def test_the_count_is_that_of_what_omegaconf_writes() -> None:
    values = doubled(WORD, "${{b{}}}", 8)
    whole = OmegaConf.to_container(OmegaConf.create(values), resolve=True)
    assert isinstance(whole, dict)
    most = len(whole["b8"])
    assert most == 2**8 * len(WORD) <= 1_000_000
    longer = values | {"b9": "${b8}${b8}"}
    with pytest.raises(InputError, match="b9: "):
        check_interpolations(longer)


def test_our_own_configuration_is_far_from_it() -> None:
    assert composed("sweep", ["+grid=depth_vs_width"])["grid"]["name"] == "depth_vs_width"
