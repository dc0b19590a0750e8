"""Condition blocks: every operator of the policy language, compiled to predicates over a request.

A block is a conjunction of operators, each a conjunction of keys, each a disjunction of values
(for negated operators: none of the values). This module knows operators and value syntax; keys and
their values come from `neve.iam.context`.

Rules for what is missing (IAM "Condition operators", "set operators"):
- plain operator: false when the key is absent; negated operator: true; `…IfExists`: true;
- `ForAllValues:` true when the key is absent; `ForAnyValue:` false, also when negated.
A key with many values under an operator without a set qualifier is met when any value matches
(negated: when none does). A variable without a value matches nothing.
"""

import base64
import operator as comparisons
from collections.abc import Callable
from typing import NamedTuple

from neve.errors import MalformedPolicy
from neve.iam.context import Extract, RequestContext, Value, epoch_time, extractor, lookup_for
from neve.iam.patterns import Pattern, Test, compile_resolved, compile_text, parse_pattern
from neve.iam.values import parse_date, parse_ip, parse_networks, parse_number

_UNREAD: Value = ("unread",)  # compared by identity
Check = Callable[[RequestContext], bool]
Bind = Callable[[RequestContext], Test]
"""Makes the test for one request, when policy variables are in it."""


class Operator(NamedTuple):
    """An operator's name, taken apart."""

    base: str
    negated: bool
    if_exists: bool
    quantifier: str
    """`ForAnyValue`, `ForAllValues` or empty."""


class Condition(NamedTuple):
    """One key under one operator, compiled; what it was made of is kept for explanations."""

    operator: Operator
    key: str
    values: tuple[str, ...]
    patterns: tuple[Pattern, ...]
    """The values of text and ARN operators as patterns; empty for the others."""
    check: Check


def parse_operator(name: str) -> Operator:
    """Take an operator's name apart. Raises: MalformedPolicy."""
    quantifier, colon, base = name.rpartition(":")
    if_exists = base.endswith("IfExists")
    base = base.removesuffix("IfExists")
    bad_quantifier = bool(colon) and quantifier not in ("ForAnyValue", "ForAllValues")
    known = base in _FAMILIES or (base == "Null" and not if_exists and not colon)
    if not known or bad_quantifier:
        raise MalformedPolicy(f"Invalid Condition type : {name}")
    return Operator(base, base in _NEGATED, if_exists, quantifier)


def parse_condition(name: str, key: str, values: tuple[str, ...], variables: bool) -> Condition:
    """Compile `{name: {key: values}}`; `variables` says whether `${…}` is replaced.

    Raises: MalformedPolicy.
    """
    operator = parse_operator(name)
    extract = extractor(key)
    if extract is None:
        raise MalformedPolicy("Policy has an invalid condition key")
    lowered = key.lower()
    if operator.base == "Null":
        return Condition(operator, lowered, values, (), _null(extract, values))
    family = _FAMILIES[operator.base]
    if family in (_date, _numeric) and lowered == "aws:currenttime":
        # The same instant as a number: cheaper to compare, and to the second as well.
        extract = epoch_time
    try:
        test, bind, patterns = family(operator.base, values, variables)
    except ValueError as error:
        message = f"Invalid value in Conditions for operator {name}"
        if family is _ip_address:
            message = "Invalid IP address in Conditions"
        raise MalformedPolicy(message) from error
    return Condition(operator, lowered, values, patterns, _check(operator, extract, test, bind))


def _check(operator: Operator, extract: Extract, test: Test | None, bind: Bind | None) -> Check:
    """Return the predicate for one key: `test` serves all requests, or `bind` makes it for one."""
    negated, quantifier = operator.negated, operator.quantifier
    for_all = quantifier == "ForAllValues"
    combine = all if for_all or (negated and not quantifier) else any
    absent = for_all or operator.if_exists or (negated and not quantifier)

    def check(context: RequestContext) -> bool:
        # Spelt out: this runs for every condition of every request.
        value = context.memo.get(extract, _UNREAD)
        if value is _UNREAD:
            value = context.memo[extract] = extract(context)
        if value is None:
            return absent
        matches = test or bind(context)  # type: ignore[misc]
        if type(value) is str:
            return matches(value) is not negated
        return combine(matches(each) is not negated for each in value)

    return check


def _null(extract: Extract, values: tuple[str, ...]) -> Check:
    wanted = frozenset(value.lower() for value in values)
    if not wanted <= {"true", "false"}:
        raise MalformedPolicy("Invalid value in Conditions for operator Null")
    return lambda context: ("true" if extract(context) is None else "false") in wanted


Compiled = tuple[Test | None, Bind | None, tuple[Pattern, ...]]
Family = Callable[[str, tuple[str, ...], bool], Compiled]


def _string(base: str, values: tuple[str, ...], variables: bool) -> Compiled:
    """StringEquals, StringLike and their kin: exact texts, or patterns with wildcards."""
    wildcards = base.endswith("Like")
    fold = base.endswith("IgnoreCase")
    patterns = tuple(parse_pattern(v, wildcards=wildcards, variables=variables) for v in values)
    if all(pattern.is_fixed for pattern in patterns):
        texts = frozenset(p.text.casefold() if fold else p.text for p in patterns)
        return (_folded(texts) if fold else texts.__contains__), None, patterns
    make = _fold_test if fold else compile_text
    if all(pattern.is_static for pattern in patterns):
        return _first(tuple(make(p.text) for p in patterns)), None, patterns
    make = _fold_test if fold else compile_resolved
    return None, _binder(patterns, make), patterns


def _binder(patterns: tuple[Pattern, ...], make: Callable[[str], Test]) -> Bind:
    def bind(context: RequestContext) -> Test:
        lookup = lookup_for(context)
        texts = (pattern.resolve(lookup) for pattern in patterns)
        return _first(tuple(make(text) for text in texts if text is not None))

    return bind


def _first(tests: tuple[Test, ...]) -> Test:
    if len(tests) == 1:
        return tests[0]
    return lambda value: any(test(value) for test in tests)


def _folded(texts: frozenset[str]) -> Test:
    return lambda value: value.casefold() in texts


def _fold_test(text: str) -> Test:
    return _folded(frozenset((text.casefold(),)))


def _arn(_: str, values: tuple[str, ...], variables: bool) -> Compiled:
    """ArnEquals and ArnLike are one: each of six parts is matched by itself, with wildcards."""
    patterns = tuple(parse_pattern(value, variables=variables) for value in values)
    if all(pattern.is_static for pattern in patterns):
        return _first(tuple(_arn_test(p.text) for p in patterns)), None, patterns
    return None, _binder(patterns, _arn_test), patterns


def _arn_test(text: str) -> Test:
    tests = tuple(compile_resolved(part) for part in text.split(":", 5))

    def test(value: str) -> bool:
        parts = value.split(":", 5)
        if len(parts) != 6 or len(tests) != 6:
            return False
        return all(matches(part) for matches, part in zip(tests, parts, strict=True))

    return test


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "Equals": comparisons.eq,
    "NotEquals": comparisons.eq,
    "LessThan": comparisons.lt,
    "LessThanEquals": comparisons.le,
    "GreaterThan": comparisons.gt,
    "GreaterThanEquals": comparisons.ge,
}


def _numeric(base: str, values: tuple[str, ...], _: bool) -> Compiled:
    return _compared(base.removeprefix("Numeric"), values, parse_number)


def _date(base: str, values: tuple[str, ...], _: bool) -> Compiled:
    return _compared(base.removeprefix("Date"), values, parse_date)


def _compared(name: str, values: tuple[str, ...], parse: Callable[[str], float]) -> Compiled:
    compare = _COMPARISONS[name]
    bounds = tuple(parse(value) for value in values)

    def test(value: str) -> bool:
        try:
            given = parse(value)
        except ValueError:
            return False
        for bound in bounds:  # noqa: SIM110 - no generator where every request passes
            if compare(given, bound):
                return True
        return False

    return test, None, ()


def _bool(_: str, values: tuple[str, ...], __: bool) -> Compiled:
    wanted = frozenset(value.lower() for value in values)
    if not wanted <= {"true", "false"}:
        raise ValueError(values)
    return (lambda value: value.lower() in wanted), None, ()


def _binary(_: str, values: tuple[str, ...], __: bool) -> Compiled:
    wanted = frozenset(base64.b64decode(value, validate=True) for value in values)
    return (lambda value: value.encode("utf-8", "surrogateescape") in wanted), None, ()


def _ip_address(_: str, values: tuple[str, ...], __: bool) -> Compiled:
    blocks = parse_networks(values)

    def test(value: str) -> bool:
        address = parse_ip(value)
        if address is None:
            return False
        version, number = address
        for of_version, mask, start in blocks:
            if number & mask == start and of_version == version:
                return True
        return False

    return test, None, ()


_FAMILIES: dict[str, Family] = {
    **dict.fromkeys(("StringEquals", "StringNotEquals", "StringLike", "StringNotLike"), _string),
    **dict.fromkeys(("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"), _string),
    **dict.fromkeys(("ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"), _arn),
    **{f"Numeric{name}": _numeric for name in _COMPARISONS},
    **{f"Date{name}": _date for name in _COMPARISONS},
    **dict.fromkeys(("IpAddress", "NotIpAddress"), _ip_address),
    "Bool": _bool,
    "BinaryEquals": _binary,
}
_NEGATED = frozenset(name for name in _FAMILIES if "Not" in name)
