"""What is no event pattern, and how big one may be.

A case named like_this shows what the case of that name shows in LocalStack's collection, which was validated
against EventBridge.
"""

import json

import pytest

from mappings.patterns import InvalidPattern, Pattern

OR = {"$or": [{"a": [1]}, {"b": [1]}]}

# What is not a pattern, and a word of the reason given.
INVALID: dict[str, tuple[str, str]] = {
    "nothing": ("", "not JSON"),
    "text that is not JSON": ('{"a": [1]', "not JSON"),
    "single quotes": ("{'a': ['b']}", "not JSON"),
    "a list": ('["a"]', "JSON object"),
    "a string": ('"a"', "JSON object"),
    "NaN": ('{"a": [NaN]}', "NaN"),
    "an empty object": ("{}", "empty object"),
    "an empty object below": ('{"a": {"b": {}}}', '"a.b" is an empty object'),
    "arrays_empty_EXC": ('{"a": []}', '"a": an empty list'),
    "string_nolist_EXC": ('{"a": {"b": "c"}}', '"a.b" must be an object or a list'),
    "int_nolist_EXC": ('{"a": 1}', "must be an object or a list"),
    "null instead of a list": ('{"a": null}', "must be an object or a list"),
    "a list in a list": ('{"a": [["b"]]}', "another list"),
    "operator_case_sensitive_EXC": ('{"a": [{"Prefix": "b"}]}', '"Prefix" is not an operator'),
    "an unknown operator": ('{"a": [{"regex": "b"}]}', '"regex" is not an operator'),
    "an operator with two keys": ('{"a": [{"prefix": "b", "suffix": "c"}]}', "exactly one key"),
    "an operator without a key": ('{"a": [{}]}', "exactly one key"),
    "exactly a number": ('{"a": [{"exactly": 1}]}', "needs a string"),
    "exists with text": ('{"a": [{"exists": "true"}]}', "true or false"),
    "exists with a number": ('{"a": [{"exists": 1}]}', "true or false"),
    "content_prefix_list_EXC": ('{"a": [{"prefix": ["b"]}]}', "prefix needs a string"),
    "content_prefix_int_EXC": ('{"a": [{"prefix": 1}]}', "prefix needs a string"),
    "content_suffix_list_EXC": ('{"a": [{"suffix": ["b"]}]}', "suffix needs a string"),
    "content_suffix_int_EXC": ('{"a": [{"suffix": 1}]}', "suffix needs a string"),
    "prefix of another operator": ('{"a": [{"prefix": {"wildcard": "b"}}]}', 'not "wildcard"'),
    "caseless suffix of a list": ('{"a": [{"suffix": {"equals-ignore-case": ["b"]}}]}', "needs a string"),
    "content_ignorecase_list_EXC": ('{"a": [{"equals-ignore-case": ["b"]}]}', "needs a string"),
    "content_ignorecase_int": ('{"a": [{"equals-ignore-case": 1}]}', "needs a string"),
    "content_wildcard_list_EXC": ('{"a": [{"wildcard": ["b*"]}]}', "wildcard needs a string"),
    "content_wildcard_int_EXC": ('{"a": [{"wildcard": 1}]}', "wildcard needs a string"),
    "content_wildcard_repeating_star_EXC": ('{"a": [{"wildcard": "b**c"}]}', "two stars"),
    "wildcard escaping a letter": (r'{"a": [{"wildcard": "b\\c"}]}', "backslash"),
    "wildcard ending in an escape": (r'{"a": [{"wildcard": "b*\\"}]}', "backslash"),
    "content_anything_but_string_null_type_EXC": ('{"a": [{"anything-but": null}]}', "anything-but needs"),
    "content_anything_but_string_list_null_type_EXC": (
        '{"a": [{"anything-but": ["b", null]}]}', "anything-but needs",
    ),
    "anything-but a boolean": ('{"a": [{"anything-but": true}]}', "anything-but needs"),
    "anything-but text and numbers": ('{"a": [{"anything-but": ["b", 1]}]}', "only strings or only numbers"),
    "anything-but nothing": ('{"a": [{"anything-but": []}]}', "anything-but needs"),
    "anything-but an unknown operator": ('{"a": [{"anything-but": {"numeric": ["=", 1]}}]}', '"numeric"'),
    "anything-but two operators": (
        '{"a": [{"anything-but": {"prefix": "b", "suffix": "c"}}]}', "exactly one key",
    ),
    "content_anything_prefix_empty_EXC": ('{"a": [{"anything-but": {"prefix": ""}}]}', "nothing to refuse"),
    "content_anything_suffix_empty_EXC": (
        '{"a": [{"anything-but": {"suffix": ["b", ""]}}]}', "nothing to refuse",
    ),
    "content_anything_prefix_int_EXC": ('{"a": [{"anything-but": {"prefix": 1}}]}', "needs a string"),
    "content_anything_suffix_int_EXC": ('{"a": [{"anything-but": {"suffix": 1}}]}', "needs a string"),
    "content_anything_prefix_list_type_EXC": (
        '{"a": [{"anything-but": {"prefix": [1, "b"]}}]}', "needs a string",
    ),
    "anything-but an empty list of prefixes": (
        '{"a": [{"anything-but": {"prefix": []}}]}', "nothing to refuse",
    ),
    "content_anything_prefix_ignorecase_EXC": (
        '{"a": [{"anything-but": {"prefix": {"equals-ignore-case": "b"}}}]}', "needs a string",
    ),
    "content_anything_suffix_ignorecase_EXC": (
        '{"a": [{"anything-but": {"suffix": {"equals-ignore-case": "b"}}}]}', "needs a string",
    ),
    "content_anything_but_ignorecase_EXC": (
        '{"a": [{"anything-but": {"equals-ignore-case": 1}}]}', "needs a string",
    ),
    "content_anything_but_ignorecase_list_EXC": (
        '{"a": [{"anything-but": {"equals-ignore-case": ["b", 1]}}]}', "needs a string",
    ),
    "content_anything_wildcard_type_EXC": ('{"a": [{"anything-but": {"wildcard": 1}}]}', "needs a string"),
    "content_anything_wildcard_list_type_EXC": (
        '{"a": [{"anything-but": {"wildcard": ["b", 1]}}]}', "needs a string",
    ),
    "content_numeric_EXC": ('{"a": [{"numeric": [">", 0, ">", 0]}]}', "lower bound"),
    "content_numeric_syntax_EXC": ('{"a": [{"numeric": [">", 0, "<"]}]}', "one comparison"),
    "content_numeric_operatorcasing_EXC": ('{"a": [{"NUMERIC": ["=", 1]}]}', '"NUMERIC" is not an operator'),
    "numeric upper bound first": ('{"a": [{"numeric": ["<", 5, ">", 0]}]}', "lower bound"),
    "numeric third pair": ('{"a": [{"numeric": [">", 0, "<", 5, "<", 6]}]}', "one comparison"),
    "numeric !=": ('{"a": [{"numeric": ["!=", 5]}]}', "compares with"),
    "numeric = and more": ('{"a": [{"numeric": ["=", 5, "<", 6]}]}', "lower bound"),
    "numeric bounds that meet": ('{"a": [{"numeric": [">=", 5, "<=", 5]}]}', "lower bound below"),
    "numeric with text": ('{"a": [{"numeric": [">", "5"]}]}', "needs a number"),
    "numeric with a boolean": ('{"a": [{"numeric": [">", true, "<", 5]}]}', "needs a number"),
    "numeric with an operator that is no text": ('{"a": [{"numeric": [[], 5]}]}', "compares with"),
    "numeric with a number beyond all doubles": ('{"a": [{"numeric": ["<", 1e999]}]}', "that a double holds"),
    "numeric with more digits than a double has": (
        '{"a": [{"numeric": ["=", 12345678901234567.5]}]}', "that a double holds",
    ),
    "anything-but more digits than a double has": (
        '{"a": [{"anything-but": 9007199254740993}]}', "a double holds",
    ),
    "numeric without a list": ('{"a": [{"numeric": 5}]}', "one comparison"),
    "numeric of nothing": ('{"a": [{"numeric": []}]}', "one comparison"),
    "content_ip_address_EXC": ('{"a": [{"cidr": "bad-filter"}]}', "address block"),
    "content_ip_address_bad_ip_EXC": ('{"a": [{"cidr": "10.0.0.256/24"}]}', "address block"),
    "content_ip_address_bad_mask_EXC": ('{"a": [{"cidr": "bad-/64filter"}]}', "address block"),
    "content_ip_address_type_EXC": ('{"a": [{"cidr": 1}]}', "cidr needs a string"),
    "content_ip_address_v6_bad_ip_EXC": ('{"a": [{"cidr": "2001:zb8::/32"}]}', "address block"),
    "cidr without bits": ('{"a": [{"cidr": "10.0.0.1"}]}', "address block"),
    "cidr of one address": ('{"a": [{"cidr": "10.0.0.0/32"}]}', "written as a string"),
    "cidr of one address of version 6": ('{"a": [{"cidr": "2001:db8::/128"}]}', "written as a string"),
    "cidr of a mapped address": ('{"a": [{"cidr": "::ffff:a00:0/104"}]}', "at most 31 bits for IPv4"),
    "cidr that mixes both versions": ('{"a": [{"cidr": "::ffff:10.0.0.0/104"}]}', "address block"),
    "cidr with too many bits": ('{"a": [{"cidr": "10.0.0.0/33"}]}', "address block"),
    "cidr with a netmask": ('{"a": [{"cidr": "10.0.0.0/255.0.0.0"}]}', "address block"),
    "cidr with a zone": ('{"a": [{"cidr": "fe80::1%eth0/64"}]}', "address block"),
    "$or of one object": ('{"$or": [{"a": [1]}]}', '"a" is not an operator'),
    "$or of nothing": ('{"$or": []}', "empty list"),
    "$or with an operator's name for a field": (
        '{"$or": [{"a": [1]}, {"prefix": ["b"]}]}', "not an operator",
    ),
    "$or with such a name deeper down": ('{"$or": [{"a": [1]}, {"b": {"numeric": [1]}}]}', "not an operator"),
    "$or with an empty branch": ('{"$or": [{"a": [1]}, {}]}', "empty object"),
    "too long": ('{"a": ["' + "x" * 4096 + '"]}', "at most 4096 characters"),
    "too deep": ('{"a":' * 101 + "[1]" + "}" * 101, "nested too deeply"),
    "too deep by dots": ('{"' + "a." * 100 + 'a": [1]}', "nested too deeply"),
    "too deep by $or": ('{"$or":[{"a":[1]},' * 100 + '{"a":[1]}' + "]}" * 100, "nested too deeply"),
    "too deep for the JSON reader": ('{"a":' + "[" * 4000, "nested too deeply"),
    "too many fields": (json.dumps({f"{i:x}": [1] for i in range(257)}), "at most 256 fields"),
    "too many combinations": (
        json.dumps({f"f{i}": OR for i in range(10)}), "more than 1000 combinations",
    ),
    "too many fields in all combinations": (
        json.dumps({f"{i:x}": [1] for i in range(200)} | {f"f{i}": OR for i in range(8)}),
        "too complex",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), [pytest.param(*case, id=fact) for fact, case in INVALID.items()])
def test_what_is_not_a_pattern_is_refused_with_the_reason(text: str, reason: str) -> None:
    """An invalid pattern raises `InvalidPattern`, a ValueError, which says what is wrong and where."""
    with pytest.raises(InvalidPattern) as caught:
        Pattern.parse(text)

    assert reason in str(caught.value)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"a": ["' + "x" * 4085 + '"]}', id="4096 characters"),
        pytest.param('{"a":' * 99 + '{"a":[1]}' + "}" * 99, id="100 steps"),
        pytest.param(json.dumps({f"{i:x}": [1] for i in range(256)}), id="256 fields"),
        pytest.param(
            json.dumps({f"f{i}": {"$or": [{j: [1]} for j in "abcdefghij"]} for i in range(3)}),
            id="1000 combinations",
        ),
    ],
)
def test_a_pattern_may_be_as_big_as_the_limits(text: str) -> None:
    """A limit is the greatest size that is accepted."""
    assert Pattern.parse(text).text == text
