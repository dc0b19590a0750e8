"""The header of a NetCDF or HDF5 file: dimensions, variables, attributes; as `ncdump -h` writes it.

All texts in it come from a file that anybody may have written: they are cut, and shown escaped.
"""

from collections.abc import Iterator

import msgspec

NAME_MAX = 256
TEXT_MAX = 2000
VALUES_MAX = 40
NODES_MAX = 2000
"""Variables and groups of a file that are looked at."""


class Unreadable(Exception):
    """The file is not what it seems to be, or more than is looked at."""


class Dimension(msgspec.Struct, frozen=True):
    """A named length."""

    name: str
    size: int
    unlimited: bool = False


class Attribute(msgspec.Struct, frozen=True):
    """A name with its value as it is written."""

    name: str
    text: str


class Variable(msgspec.Struct, frozen=True):
    """An array: its dimensions are names, or numbers where they have none."""

    name: str
    type: str
    dimensions: tuple[str, ...]
    attributes: tuple[Attribute, ...] = ()


class Group(msgspec.Struct, frozen=True):
    """A file, or a group in it."""

    name: str
    dimensions: tuple[Dimension, ...] = ()
    variables: tuple[Variable, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    groups: tuple["Group", ...] = ()
    cut: bool = False
    """Whether there is more than `NODES_MAX`."""


def written(text: str) -> str:
    """Return a text as a value: in quotation marks, and not too long."""
    cut = text[:TEXT_MAX] + ("…" if len(text) > TEXT_MAX else "")
    escaped = cut.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def dump(root: Group) -> str:
    """Return the header as text."""
    return "\n".join([f"netcdf {root.name} {{", *_lines(root, ""), "}"])


def _lines(group: Group, indent: str) -> Iterator[str]:
    if group.dimensions:
        yield f"{indent}dimensions:"
        for each in group.dimensions:
            size = f"UNLIMITED ; // ({each.size} currently)" if each.unlimited else f"{each.size} ;"
            yield f"{indent}    {each.name} = {size}"
    if group.variables:
        yield f"{indent}variables:"
        for variable in group.variables:
            over = f"({', '.join(variable.dimensions)})" if variable.dimensions else ""
            yield f"{indent}    {variable.type} {variable.name}{over} ;"
            for attribute in variable.attributes:
                yield f"{indent}        {variable.name}:{attribute.name} = {attribute.text} ;"
    if group.attributes:
        yield ""
        yield f"{indent}// {'group' if indent else 'global'} attributes:"
        for attribute in group.attributes:
            yield f"{indent}        :{attribute.name} = {attribute.text} ;"
    for inner in group.groups:
        yield ""
        yield f"{indent}group: {inner.name} {{"
        yield from _lines(inner, indent + "    ")
        yield f"{indent}}}"
    if group.cut:
        yield f"{indent}// …"
