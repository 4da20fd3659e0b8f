"""Optional packages: imported where they are needed, with advice when absent."""

from importlib import import_module


def require(module, *, extra, user):
    """Import an optional package.

    Parameters
    ----------
    module : str
        Name of the module, for instance ``"torch"``.
    extra : str
        The extra of sklearn-ext that installs it.
    user : str
        Who needs it, for the message.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    ImportError
        When the package is missing; the message holds the pip command.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{user} needs {module.partition('.')[0]}: "
            f"pip install 'sklearn-ext[{extra}]'"
        ) from error
