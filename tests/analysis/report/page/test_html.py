"""HTML of the report: texts are escaped, also those in scripts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.report.page import html

EVIL = '<script>alert("x")</script>&\''


@pytest.mark.slow
@given(st.text(max_size=40))
def test_json_in_a_script_element_cannot_end_it(value):
    written = html.script_json({"value": value})
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {"value": value}


def test_every_part_of_the_page_escapes_its_texts():
    page = html.table([{"a": EVIL}], {"a": EVIL}) + html.paragraph(EVIL)
    page += html.verdict(EVIL, EVIL, EVIL, [EVIL], [EVIL])
    page += html.open_verdict(EVIL, EVIL, EVIL, [EVIL], [EVIL]) + html.definitions([(EVIL, EVIL)])
    page += html.folded(EVIL, []) + html.section(EVIL, EVIL, [])
    assert "<script" not in page
    assert 'alert("' not in page
