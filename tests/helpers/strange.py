"""Strategies of strange values, and of good ones with a part that is strange."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from copy import deepcopy
from io import StringIO
from types import FrameType
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from scaling_study.common.command_line import BAD_INPUT, report
from scaling_study.common.errors import InputError

# No answer takes longer, whatever is asked.
LIMIT_S = 10
TEXTS = (
    *("", " ", "\0", "a\nb", "\x1b[31mred\x07", "\ud800", "\u202eevil", "é" * 300, "x" * 5000),
    *("../..", "/dev/null", "~nobody-here", "none", "null", "true", "auto", "1e400", "nan"),
    *("range(3)", "range(1e9)", "range(0,1,0)", "choice(", "1,2", "[", "{a: 1", "${x}", "${"),
    *("run:", "run(x)", "timm:/nowhere", "depth", "depth > 10", "9**9**9 > 1", "os.path", "a.b"),
    *("'", '"', "=", "%s", "{0}", "<b>", "$(touch hacked)", "; touch hacked", "-1", "0x10", "٣"),
)
NUMBERS = (
    *(0, 1, -1, 2, 7, 0.5, -0.0, 1e-300, 1e300, -1e300, float("inf"), float("nan")),
    *(2**31, 2**53, 2**53 + 1, 2**63, -(2**63), 10**400),
)
BYTES = (
    *(b"\0", b"\n", b"\xff", b'"', b",", b"[", b"{" * 50, b"9" * 5000, b"1e400", b"-", b": *a"),
)
SCALARS = st.sampled_from([None, True, False, *NUMBERS, *TEXTS])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(TEXTS), inner, max_size=2)
    ),
    max_leaves=4,
)


def seeded(cases: int) -> settings:
    """So many cases, the same in every run; none is made smaller, which would cost many more."""
    return settings(
        max_examples=cases,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=[*HealthCheck],
    )


@st.composite
def damaged(draw: st.DrawFn, good: Any, names: tuple[str, ...] = ()) -> Any:
    """A copy of nested values in which one to three places hold, lack or add something strange.

    `names` are what an added entry may be called.
    """
    value = deepcopy(good)
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        _damage(draw, value, names)
    return value


def _damage(draw: st.DrawFn, value: Any, names: tuple[str, ...]) -> None:
    while True:
        keys = [*(value if isinstance(value, dict) else range(len(value)))]
        if not keys or draw(st.integers(0, 9)) == 0:
            return _add(draw, value, names)
        key = draw(st.sampled_from(keys))
        if not isinstance(value[key], dict | list) or draw(st.integers(0, 4)) == 0:
            break
        value = value[key]
    if draw(st.integers(0, 5)) == 0:
        del value[key]
    else:
        value[key] = draw(VALUES)


def _add(draw: st.DrawFn, value: Any, names: tuple[str, ...]) -> None:
    if isinstance(value, dict):
        value[draw(st.sampled_from(names or TEXTS))] = draw(VALUES)
    else:
        value.append(draw(VALUES))


@st.composite
def damaged_bytes(draw: st.DrawFn, good: bytes) -> bytes:
    """A file that is cut, flipped, or that has lost or got bytes at one to three places."""
    content = bytearray(good)
    for _ in range(draw(st.integers(1, 3))):
        at, how = (
            draw(st.integers(0, len(content))),
            draw(st.sampled_from(["cut", "flip", "add", "lose"])),
        )
        if how == "cut":
            del content[at:]
        elif how == "add":
            content[at:at] = draw(st.sampled_from(BYTES))
        elif how == "flip" and at < len(content):
            content[at] = draw(st.integers(0, 255))
        else:
            del content[at : at + draw(st.integers(1, 20))]
    return bytes(content)


@contextmanager
def watched() -> Iterator[None]:
    """An error after `LIMIT_S`, in the main thread."""

    def late(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"no answer within {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def answered(call: Callable[[], int | None]) -> tuple[int, str]:
    """The exit code of a command that runs here, and what it wrote to standard error.

    Fails for a traceback, an exit code that no command has, or bad input not told in one sentence.
    """
    with (
        StringIO() as out,
        StringIO() as err,
        redirect_stdout(out),
        redirect_stderr(err),
        watched(),
    ):
        try:
            code = call()
        except InputError as error:
            code = report(str(error))
        except SystemExit as left:
            code = left.code  # type: ignore[assignment]
        said = err.getvalue()
    assert code in (0, 1, 2), (code, said)
    if code == BAD_INPUT and not said.startswith("usage: "):
        lines = said.splitlines()
        assert said.startswith("error: "), said
        assert len(lines) == 1, said
        assert 10 < len(said) < 4000, said
    return code, said
