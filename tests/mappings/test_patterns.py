"""The event pattern grammar, fact by fact.

A case named like_this shows what the case of that name shows in LocalStack's collection, which was validated
against EventBridge.
"""

import json
from typing import Any

import pytest

from mappings.patterns import Constraint, Filters, Pattern

ABSENT: Any = object()


def passes(pattern: dict[str, Any], event: object) -> bool:
    return Pattern.parse(json.dumps(pattern)).matches(event)


def cases(table: dict[str, tuple[Any, list[Any], list[Any]]]) -> list[Any]:
    return [
        pytest.param(wanted, value, expected, id=f"{fact}: {shown(value)}")
        for fact, (wanted, accepted, refused) in table.items()
        for values, expected in ((accepted, True), (refused, False))
        for value in values
    ]


def shown(value: Any) -> str:
    return "absent" if value is ABSENT else json.dumps(value)[:60]


# What a field asks for, values that meet it, values that do not.
LEAVES: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "string": (["text"], ["text"], ["Text", "text ", "TEXT", 1, None, True, {"text": "text"}, ABSENT]),
    "string_empty": ([""], [""], [" ", None, [], {}, ABSENT]),
    "strings are not folded": (["é"], ["é"], ["e\u0301", "É"]),
    "several values, any of them": (["a", 1, None], ["a", 1, None], ["b", 2, False, ABSENT]),
    "null_value": ([None], [None, [None]], ["null", "", 0, False, {}, ABSENT]),
    "arrays_empty_null_NEG": ([None], [], [[]]),
    "true": ([True], [True], ["true", 1, False, None]),
    "boolean_NEG": ([False], [False], ["false", 0, "", True]),
    "number": ([1], [1, 1.0], ["1", True, 2, 1.5, [2]]),
    "number_comparison_float": ([300], [300, 300.0, 3e2], [300.01]),
    "account numbers stay exact": ([12345678901234567890], [12345678901234567890], [12345678901234567891]),
    "exactly": ([{"exactly": "text"}], ["text"], ["Text", ["other"]]),
    "content_prefix": ([{"prefix": "us-"}], ["us-", "us-east-1"], ["eu-us-", "US-east-1", 1, None, ABSENT]),
    "prefix of nothing": ([{"prefix": ""}], ["", "any"], [1, None, ABSENT]),
    "content_prefix_ignorecase": (
        [{"prefix": {"equals-ignore-case": "Us-"}}], ["uS-x", "US-"], ["us", "xus-"],
    ),
    "content_suffix": ([{"suffix": ".png"}], [".png", "a.png"], [".png.bak", "a.PNG", 1, ABSENT]),
    "suffix of nothing": ([{"suffix": ""}], ["", "any"], [0]),
    "content_suffix_ignorecase": (
        [{"suffix": {"equals-ignore-case": ".PNG"}}], ["a.pNg", ".png"], ["png", "a.png "],
    ),
    "caseless suffix of nothing": ([{"suffix": {"equals-ignore-case": ""}}], ["", "any"], [0]),
    "content_ignorecase": (
        [{"equals-ignore-case": "Straße Ä"}], ["sTRAßE ä", "STRASSE Ä"], ["strasse ä", "straße", 1],
    ),
    "a letter whose other case is two letters": (
        [{"equals-ignore-case": "ﬁx"}], ["ﬁx", "FIX", "FIx"], ["fix", "fIX", "ﬁ", "FIXX"],
    ),
    "such a letter at the start": ([{"prefix": {"equals-ignore-case": "ß"}}], ["ß", "SSx"], ["ss", "xSS"]),
    "such a letter at the end": (
        [{"suffix": {"equals-ignore-case": "aﬁ"}}], ["zzaFI", "AFI", "aﬁ"], ["afi", "aFIx", "FI"],
    ),
    "such a letter negated": ([{"anything-but": {"equals-ignore-case": "ß"}}], ["s", "ss"], ["SS", "ß"]),
    "a title letter is neither case": ([{"equals-ignore-case": "ǅ"}], ["ǆ", "Ǆ"], ["ǅ", "dž"]),
    "content_ignorecase_empty": ([{"equals-ignore-case": ""}], [""], ["x", None]),
    "content_exists": ([{"exists": True}], ["", 0, None, False, [None], ["x"]], [[], {}, {"x": 1}, ABSENT]),
    "content_exists_false": ([{"exists": False}], [ABSENT, [], {}, {"x": 1}], ["", 0, None, [None]]),
    "or-exists: missing or equal": (["x", {"exists": False}], ["x", ABSENT, {}, []], ["y", None, ["y"]]),
    "or-exists: missing or not these": (
        [{"anything-but": ["x"]}, {"exists": False}], ["y", None, ABSENT], ["x", ["x"]],
    ),
    "operator_multiple_list": ([{"exists": True}, {"prefix": "x"}], ["y", "x", 1], [ABSENT]),
    "content_anything_but_string": (
        [{"anything-but": "x"}], ["y", "", 1, None, False, ["x", "y"]], ["x", ["x"], []],
    ),
    "content_anything_but_string_missing_NEG": ([{"anything-but": "x"}], [], [ABSENT, {}]),
    "content_anything_but_string_list": ([{"anything-but": ["x", "y"]}], ["z", None, 5], ["x", "y", ABSENT]),
    "content_anything_but_number": ([{"anything-but": 1}], [2, "1", True, None], [1, 1.0, ABSENT]),
    "content_anything_but_number_zero": ([{"anything-but": 0}], [1, False, ""], [0, 0.0, -0.0]),
    "content_anything_but_number_list": ([{"anything-but": [1, 2]}], [3, "x"], [1, 2.0]),
    "content_anything_prefix": (
        [{"anything-but": {"prefix": "in"}}], ["out", 1, None], ["in", "init", ABSENT],
    ),
    "content_anything_prefix_list": (
        [{"anything-but": {"prefix": ["a", "b"]}}], ["c", 7, None], ["ax", "bx", ABSENT],
    ),
    "content_anything_suffix": ([{"anything-but": {"suffix": "x"}}], ["xy", 1, None], ["yx", ABSENT]),
    "content_anything_suffix_list": (
        [{"anything-but": {"suffix": ["a", "b"]}}], ["c", 7, None], ["xa", "xb", ABSENT],
    ),
    "content_anything_but_ignorecase": (
        [{"anything-but": {"equals-ignore-case": "On"}}], ["off", 1, None], ["on", "ON", ABSENT],
    ),
    "content_anything_but_ignorecase_list": (
        [{"anything-but": {"equals-ignore-case": ["On", "Off"]}}], ["x", None], ["ON", "oFF", ABSENT],
    ),
    "content_anything_wildcard": (
        [{"anything-but": {"wildcard": "*/a/*"}}], ["/b/", 1, None], ["x/a/y", ABSENT],
    ),
    "content_anything_wildcard_list": (
        [{"anything-but": {"wildcard": ["*a", "b*"]}}], ["ab", None], ["xa", "bx", ABSENT],
    ),
    "content_anything_wildcard_empty": ([{"anything-but": {"wildcard": ""}}], ["x"], [""]),
    "numeric =": ([{"numeric": ["=", 3.018e2]}], [301.8], [301, "301.8", None, True, ABSENT]),
    "numeric <": ([{"numeric": ["<", 1]}], [0, -1e300, 0.5], [1, 1.0, float("nan")]),
    "numeric <=": ([{"numeric": ["<=", 1]}], [1, 0], [1.000001, 10**400]),
    "numeric >": ([{"numeric": [">", 0]}], [1e-9, 10**400], [0, False, True]),
    "numeric >=": ([{"numeric": [">=", 0]}], [0, -0.0], [-1]),
    "content_numeric_and": ([{"numeric": [">", 0, "<=", 5]}], [0.1, 5, [9, 3]], [0, 5.1, [], [0, 9]]),
    "numeric-string_NEG": ([{"numeric": [">", 0]}], [], ["1", ["1"]]),
    "numeric-null_NEG": ([{"numeric": ["<", 5]}], [], [None]),
    "or-numeric-anything-but": ([{"numeric": ["=", 0]}, {"anything-but": [0, 1]}], [0, 2, "x"], [1]),
    "content_wildcard_simplified": (
        [{"wildcard": "*.png"}], [".png", "a.png"], ["a.PNG", "a.png ", 1, None, ABSENT],
    ),
    "content_wildcard_nonrepeating": (
        [{"wildcard": "a*b*c"}], ["abc", "a-b-c", "abcbc"], ["ac", "acb", "xabc"],
    ),
    "content_wildcard_repeating": (
        [{"wildcard": "/*/d/d/f"}], ["/u/d/d/d/f", "//d/d/f"], ["/d/d/f", "/u/d/f"],
    ),
    "wildcard ends may not overlap": ([{"wildcard": "aba*aba"}], ["abaaba", "aba-aba"], ["aba", "ababa"]),
    "wildcard of one star": ([{"wildcard": "*"}], ["", "x"], [1, None]),
    "wildcard across lines": ([{"wildcard": "a*z"}], ["a\n\nz"], ["a\nz\n"]),
    "wildcard without star": ([{"wildcard": "ab"}], ["ab"], ["abc", ""]),
    "content_wildcard_empty_NEG": ([{"wildcard": ""}], [""], ["x"]),
    "wildcard escaped star": ([{"wildcard": r"a\**"}], ["a*", "a*b"], ["ab", "a"]),
    "wildcard escaped backslash": ([{"wildcard": r"\\*"}], ["\\", "\\x"], ["x"]),
    "other characters of a regex are plain": ([{"wildcard": "a.[b]?*"}], ["a.[b]?c"], ["axb", "a.b"]),
    "content_ip_address": (
        [{"cidr": "10.0.0.0/24"}], ["10.0.0.0", "10.0.0.255"], ["10.0.1.0", "::1", "10.0.0", ABSENT],
    ),
    "content_ip_address_bad_type_NEG": (
        [{"cidr": "10.0.0.0/24"}], [], ["bad", "", 167772160, None, "1" * 99],
    ),
    "cidr counts from the block's start": ([{"cidr": "10.0.0.77/24"}], ["10.0.0.1"], ["10.0.1.77"]),
    "cidr of two addresses": ([{"cidr": "10.0.0.1/31"}], ["10.0.0.0", "10.0.0.1"], ["10.0.0.2"]),
    "cidr reads leading zeros as decimal": (
        [{"cidr": "010.0.0.1/24"}], ["10.0.0.7", "010.0.0.01"], ["8.0.0.1", "000000000010.0.0.1"],
    ),
    "cidr of everything": ([{"cidr": "0.0.0.0/0"}], ["0.0.0.0", "255.255.255.255"], ["256.0.0.0", "", 5]),
    "cidr of mapped addresses": ([{"cidr": "10.0.0.0/8"}], ["::ffff:a00:1"], ["::ffff:b00:1"]),
    "cidr compares the digits of the other version": (
        [{"cidr": "2000::/3"}], ["2001:db8::1", "40.0.0.1"], ["64.0.0.1", "10.0.0.1"],
    ),
    "an address is compared by value": (
        ["10.0.0.1"], ["10.0.0.1", "10.0.0.01", "010.0.0.1", "::ffff:a00:1"], ["10.0.0.2", "10.0.0.1 ", 1],
    ),
    "an address of version 6 is compared by value": (
        ["2001:DB8::1"], ["2001:db8::1", "2001:db8:0:0:0:0:0:01"], ["2001:db8::2", "2001:db8::1::"],
    ),
    "an address and texts": (["::1", "x"], ["0:0:0:0:0:0:0:1", "x"], [":1", "y"]),
    "what only looks like an address is a text": (["256.0.0.1", "f:e"], ["256.0.0.1"], ["256.0.0.01", "F:E"]),
    "exactly compares an address as text": ([{"exactly": "10.0.0.1"}], ["10.0.0.1"], ["10.0.0.01"]),
    "anything-but compares an address as text": ([{"anything-but": "10.0.0.1"}], ["10.0.0.01"], ["10.0.0.1"]),
    "content_ip_address_v6": (
        [{"cidr": "2001:DB8::/32"}], ["2001:db8::1"], ["2001:db9::1", "fe80::1%eth0", "10.0.0.1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("leaf", "value", "expected"), cases(LEAVES))
def test_a_field_is_compared_with_its_alternatives(leaf: list[Any], value: Any, expected: bool) -> None:  # noqa: FBT001  # a column of the table
    """A field passes when one of its values meets one of the alternatives."""
    event = {} if value is ABSENT else {"field": value}

    assert passes({"field": leaf}, event) is expected


# A pattern, events that pass it, events that do not.
STRUCTURES: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "every named field must pass": (
        {"a": [1], "b": [2]}, [{"a": 1, "b": 2, "c": 3}], [{"a": 1}, {"a": 1, "b": 3}, {}],
    ),
    "only an object can pass": ({"a": [{"exists": False}]}, [{}], [None, [], [{}], "text", 1]),
    "key_case_sensitive_NEG": ({"Key": ["v"]}, [{"Key": "v"}], [{"key": "v"}]),
    "nested_json_NEG": ({"d": {"k": ["v"]}}, [{"d": {"k": "v"}}], [{"d": '{"k": "v"}'}, {"d": None}]),
    "arrays": (
        {"r": ["a", "b"]}, [{"r": ["x", "a"]}, {"r": [["b"]]}],
        [{"r": ["x"]}, {"r": []}, {"r": [{"a": "a"}]}],
    ),
    "list_within_dict": (
        {"l": {"id": [{"exists": True}]}}, [{"l": [{"k": 1}, {"id": 2}]}, {"l": [[{"id": 0}]]}],
        [{"l": [{"k": 1}]}, {"l": []}],
    ),
    "fields of a list's objects come from one element": (
        {"l": {"a": [1], "b": [2]}},
        [{"l": [{"a": 1}, {"a": 1, "b": 2}]}, {"l": [[{"a": 1, "b": 2}]]}],
        [{"l": [{"a": 1}, {"b": 2}]}, {"l": [[{"a": 1}], [{"b": 2}]]}],
    ),
    "and so do fields below them, at any depth": (
        {"l": {"m": {"a": [1], "b": [2]}, "c": [3]}},
        [{"l": [{"m": [{"a": 1, "b": 2}], "c": 3}]}],
        [{"l": [{"m": [{"a": 1}, {"b": 2}], "c": 3}]}, {"l": [{"m": {"a": 1, "b": 2}}, {"c": 3}]}],
    ),
    "different lists are chosen from independently": (
        {"l": {"a": [1]}, "m": {"a": [2]}}, [{"l": [{"a": 0}, {"a": 1}], "m": [{"a": 2}]}],
        [{"l": [{"a": 1}], "m": []}],
    ),
    "branches of $or agree on the element, too": (
        {"l": {"a": [1]}, "$or": [{"l": {"b": [2]}}, {"c": [3]}]},
        [{"l": [{"a": 1, "b": 2}]}, {"l": [{"a": 1}, {"b": 2}], "c": 3}],
        [{"l": [{"a": 1}, {"b": 2}]}],
    ),
    "dot_joining_event": (
        {"d": {"s": {"t": ["on"]}}}, [{"d": {"s.t": "on"}}, {"d.s.t": "on"}, {"d.s": {"t": "on"}}],
        [{"d": {"s.t": "off"}}],
    ),
    "dot_joining_pattern": (
        {"d": {"s.t": ["on"]}}, [{"d": {"s": {"t": "on"}}}, {"d.s": {"t": "on"}}], [{"d": {"t": "on"}}],
    ),
    "dot_joining_event_NEG": ({"d": {"s": {"t": ["on"]}}}, [], [{"d": {"s.t": {"t": "on"}}}]),
    "dot_joining_pattern_NEG": ({"d": {"s.t": {"t": ["on"]}}}, [], [{"d": {"s": {"t": "on"}}}]),
    "fields may be joined and nested at once": (
        {"d": {"s": [1], "t": [2]}}, [{"d.s": 1, "d": {"t": 2}}, {"d": [{"s": 0}, {"t": 2}], "d.s": 1}],
        [{"d.s": 1, "d": {}}],
    ),
    "a joined field counts for exists": (
        {"d": {"s": [{"exists": False}]}}, [{"d": 1}], [{"d.s": 1}, {"d": {}, "d.s": [1]}],
    ),
    "empty names are names": ({"": {"": [1]}}, [{"": {"": 1}}, {".": 1}], [{"": 1}]),
    "one path may hold values and objects": (
        {"a": [1], "a.b": [2]}, [{"a": [1, {"b": 2}]}, {"a": 1, "a.b": 2}],
        [{"a": 1}, {"a": {"b": 2}}, {"a": [{"b": 2}]}],
    ),
    "of one path spelled twice the last counts": (
        {"a.b": [1], "a": {"b": [2]}}, [{"a": {"b": 2}}], [{"a": {"b": 1}}],
    ),
    "exists_dynamodb": (
        {"d": {"k": {"S": [{"exists": True}]}}}, [{"d": {"k": {"S": ""}}}], [{"d": {"k": {"N": "1"}}}],
    ),
    "exists_dynamodb_NEG": ({"d": {"k": [{"exists": True}]}}, [], [{"d": {"k": {"S": "x"}}}]),
    "exists_list_empty_NEG": ({"r": [{"exists": True}]}, [{"r": [1]}], [{"r": []}]),
    "or-exists-parent": (
        {"d": {"k": {"S": [{"anything-but": ["x"]}, {"exists": False}]}}},
        [{"d": {"j": {"S": "x"}}}, {}, {"d": {"k": {"S": "y"}}}], [{"d": {"k": {"S": "x"}}}],
    ),
    "alone, not there means in no element": (
        {"l": {"gone": [{"exists": False}]}}, [{"l": [{"a": 1}]}, {"l": []}],
        [{"l": [{"a": 1}, {"gone": None}]}],
    ),
    "after another field, not there means in its element": (
        {"l": {"a": [1], "gone": [{"exists": False}]}},
        [{"l": [{"a": 1}, {"a": 2, "gone": 0}]}], [{"l": [{"a": 1, "gone": 0}, {"a": 2}]}],
    ),
    "before another field, not there means in no element": (
        {"l": {"gone": [{"exists": False}], "z": [1]}}, [{"l": [{"z": 1}]}],
        [{"l": [{"z": 1}, {"z": 2, "gone": 0}]}],
    ),
    "the order of names decides which is before, not that of the pattern": (
        {"l": {"z": [1], "gone": [{"exists": False}]}}, [{"l": [{"z": 1}]}], [{"l": [{"z": 1}, {"gone": 0}]}],
    ),
    "a path that an event has twice passes by either": (
        {"a": {"b": {"c": [1], "d": [1]}}},
        [{"a.b": {"c": 2, "d": 1}, "a.b.c": 1}, {"a": {"b": {"c": 1, "d": 2}}, "a.b.d": 1}],
        [{"a.b": {"c": 2, "d": 1}, "a.b.c": 2}],
    ),
    "complex_or": (
        {"d": {"$or": [{"a": [{"numeric": [">", 0]}]}, {"b": [1], "c": [2]}, {"x": ["y"]}]}},
        [{"d": {"a": 1}}, {"d": {"b": 1, "c": 2}}, {"d": {"x": "y"}}],
        [{"d": {"a": 0, "b": 1}}, {"d": {}}, {}],
    ),
    "$or joins the fields beside it by and": (
        {"s": [1], "$or": [{"a": [1]}, {"b": [1]}]}, [{"s": 1, "a": 1}, {"s": 1, "b": 1}],
        [{"s": 1}, {"a": 1}],
    ),
    "$or may stand inside $or": (
        {"$or": [{"a": [1]}, {"b": [1], "$or": [{"c": [1]}, {"d": [1]}]}]}, [{"a": 1}, {"b": 1, "d": 1}],
        [{"b": 1}, {"c": 1}],
    ),
    "two $or must both pass": (
        {"$or": [{"a": [1]}, {"b": [1]}], "n": {"$or": [{"c": [1]}, {"d": [1]}]}}, [{"b": 1, "n": {"c": 1}}],
        [{"a": 1}, {"n": {"c": 1}}],
    ),
    "$or of values is a field of that name": (
        {"$or": [{"prefix": "a"}, "b"]}, [{"$or": "ax"}, {"$or": "b"}], [{"$or": "x"}, {}],
    ),
    "$or of operators is a field of that name": (
        {"$or": [{"prefix": "a"}, {"suffix": "b"}]}, [{"$or": "xb"}], [{"prefix": "a"}],
    ),
    "$or as an object is a field of that name": ({"$or": {"a": [1]}}, [{"$or": {"a": 1}}], [{"a": 1}]),
    "DynamoDB numbers are strings": (
        {"N": ["101"]}, [{"N": "101"}], [{"N": 101}],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("pattern", "event", "expected"), cases(STRUCTURES))
def test_fields_are_found_and_combined(pattern: dict[str, Any], event: Any, expected: bool) -> None:  # noqa: FBT001  # a column of the table
    """Where a field may stand in an event, and what several of them mean together."""
    assert passes(pattern, event) is expected


def test_of_duplicate_keys_the_last_counts() -> None:
    """`test_event_pattern_with_multi_key`: a key given twice has its last value only."""
    pattern = Pattern.parse('{"d": {"k": [{"prefix": "us-"}], "k": [{"anything-but": "us-east"}]}}')

    assert pattern.matches({"d": {"k": "eu-central"}})
    assert not pattern.matches({"d": {"k": "us-east"}})


@pytest.mark.parametrize(
    ("pattern", "constraint"),
    [
        ({"other": [1]}, Constraint.NONE),
        ({"Body": [1]}, Constraint.NONE),
        ({"other": {"body": [1]}}, Constraint.NONE),
        ({"body": ["text"]}, Constraint.VALUES),
        ({"body": [{"exists": False}]}, Constraint.VALUES),
        ({"body": {"a": [1]}}, Constraint.FIELDS),
        ({"body.a": [1]}, Constraint.FIELDS),
        ({"body": ["text"], "body.a": [1]}, Constraint.VALUES | Constraint.FIELDS),
        ({"$or": [{"body": {"a": [1]}}, {"other": [1]}]}, Constraint.FIELDS),
        ({"$or": [{"body": {"a": [1]}}, {"body": ["b"]}]}, Constraint.VALUES | Constraint.FIELDS),
        ({"body": {"$or": [{"a": [1]}, {"b": [1]}]}}, Constraint.FIELDS),
    ],
    ids=repr,
)
def test_a_pattern_tells_what_it_says_of_a_top_level_field(
    pattern: dict[str, Any], constraint: Constraint
) -> None:
    """Sources ask whether a pattern compares the data, and as a value or as an object."""
    assert Pattern.parse(json.dumps(pattern)).constraint_on("body") is constraint


def test_a_field_that_is_not_named_has_a_false_constraint() -> None:
    """`if pattern.constraint_on(name)` reads as: the pattern names it."""
    assert not Pattern.parse('{"a": [1]}').constraint_on("b")
    assert Pattern.parse('{"a": [1]}').constraint_on("a")


def test_filters_pass_what_any_of_them_matches() -> None:
    """Several filters are alternatives."""
    filters = Filters.parse(['{"a": [1]}', '{"b": [1]}'])

    assert filters.matches({"a": 2, "b": 1})
    assert not filters.matches({"a": 2})


def test_no_filters_pass_everything() -> None:
    """An empty list of filters is no filtering, whatever the record is."""
    assert Filters.parse([]).matches({"a": 1})
    assert Filters().matches(None)


def test_patterns_of_the_same_text_are_equal() -> None:
    """What is compiled is no part of a pattern's identity, nor of how it prints."""
    text = '{"a": [1]}'

    assert Pattern.parse(text) == Pattern.parse(text)
    assert repr(Pattern.parse(text)) == f"Pattern(text={text!r})"
