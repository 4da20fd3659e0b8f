"""Write the text of a parameter once: siblings name whose it is."""

import inspect
import re
import textwrap

REFERENCE = re.compile(r"^(?P<names>\w+(?:, \w+)*) : see (?P<source>\w+)$", re.M)


def shared_docs(*sources):
    """Fill in the entries of a docstring that say ``: see Sibling``.

    A docstring may list ``alpha, fit_intercept : see LinearThing`` among its
    parameters, attributes or returns. Whoever reads the source, or a tool that does
    not run it, sees the names and where to look; ``help()``, the HTML representation
    and the built pages see the full entries, in the order of the names.

    Parameters
    ----------
    *sources : type or callable
        The documented classes or functions, found by their ``__name__``.

    Returns
    -------
    callable
        A decorator of a class or function.

    Raises
    ------
    LookupError
        When a reference names no source, or something that the source does not
        document.

    Examples
    --------
    >>> class Line:
    ...     '''Fit a line.
    ...
    ...     Parameters
    ...     ----------
    ...     alpha : float, default=1.0
    ...         Strength of the penalty.
    ...     '''
    >>> @shared_docs(Line)
    ... class Plane:
    ...     '''Fit a plane.
    ...
    ...     Parameters
    ...     ----------
    ...     alpha : see Line
    ...     '''
    >>> Plane.__doc__.splitlines()[-1]
    '    Strength of the penalty.'
    """
    known = {source.__name__: source for source in sources}

    def fill(thing):
        if thing.__doc__ is not None:  # python -OO strips docstrings
            doc = inspect.cleandoc(thing.__doc__)
            thing.__doc__ = REFERENCE.sub(
                lambda match: _entries(match, known, thing), doc
            )
        return thing

    return fill


def _entries(match, known, thing):
    names, source = match["names"].split(", "), match["source"]
    if source not in known:
        raise LookupError(
            f"the docstring of {thing.__name__} says 'see {source}', which is not "
            f"among shared_docs({', '.join(known)})."
        )
    doc = inspect.getdoc(known[source]) or ""
    return "\n".join(_entry(name, doc, source) for name in names)


def _entry(name, doc, source):
    pattern = rf"^(?:\w+, )*{name}(?:, \w+)* : (?P<kind>.*)\n(?P<text>(?: +.*\n|\n)*)"
    found = re.search(pattern, f"{doc}\n", re.M)
    if found is None:
        raise LookupError(f"the docstring of {source} has no entry for {name!r}.")
    kind, text = found["kind"], found["text"].rstrip()
    return f"{name} : {kind}\n{textwrap.indent(textwrap.dedent(text), '    ')}"
