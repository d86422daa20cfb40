"""Texts that would do harm in a page or a shell."""

HOSTILE = "</script><img src=x onerror=\"window.hacked='yes'\"><b>&amp;"
FOLDER = "<img src=x onerror='window.hacked=1'> ${b} \"$c\""
VARIANT = f"{HOSTILE}\n${{jndi:x}} `'\""
# As the end of a log that a run left, with what terminals read as colours.
TAIL = f"Traceback\n  \x1b[31m{HOSTILE}\x1b[0m $(touch x) ${{y}}"
