"""scaling-study site check: what a SLURM is like, settings for it, and a run of seconds on it."""

import sys

from scaling_study.common.command_line import parser, run


def main() -> int:
    """The command."""
    options = parser("scaling_study.launch.slurm.site_check", __doc__ or "")
    options.add_argument("action", choices=["check"])
    options.add_argument("--name", default="site", help="of the settings, for launcher=NAME")
    options.add_argument("--write", action="store_true", help="write them to the user's folder")
    options.add_argument("--run", action="store_true", help="submit a run of seconds and wait")
    options.add_argument(
        "settings", nargs="*", default=(), help="more settings of that run, as KEY=VALUE"
    )
    given = options.parse_intermixed_args()

    def checked() -> list[str]:
        from scaling_study.launch.slurm.site_report import check  # help needs none of it

        return [*check(given.name, given.write, given.run, given.settings)]

    return run(checked)


if __name__ == "__main__":
    sys.exit(main())
