"""Pictures of a bridge."""

from dataclasses import field

import numpy as np
from sklearn.decomposition import PCA

from sklearn_ext._core._plots import Display
from sklearn_ext._numerics._arrays import to_numpy
from sklearn_ext.bridge._checks import check_grid, plain
from sklearn_ext.bridge._light import LightSchrodingerBridge

KINDS = ("paths", "marginals", "components", "map")


class SchrodingerBridgeDisplay(Display):
    """Show how a bridge moves one population to another.

    Build it with :meth:`from_estimator`, or with :meth:`from_predictions` from paths.

    Parameters
    ----------
    paths : ndarray of shape (n_samples, n_times, 2)
        Paths in the plane that is shown.
    times : ndarray of shape (n_times,)
        Their times.
    target : ndarray of shape (m_samples, 2) or None, default=None
        Target rows in the plane.
    means : ndarray of shape (n_samples, 2) or None, default=None
        Where each row is expected, for ``kind="map"``.
    ellipses : tuple of ndarray or None, default=None
        Centres (K, 2), covariances (K, 2, 2) and masses (K,) of what each component
        makes of its share of the source, for ``kind="components"``.
    labels : tuple of str, default=("feature 0", "feature 1")
        What the axes show.

    Attributes
    ----------
    ax_ : matplotlib Axes or ndarray of Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    LightSchrodingerBridge : The estimator that is shown.

    Examples
    --------
    >>> from sklearn_ext.bridge import LightSchrodingerBridge, SchrodingerBridgeDisplay
    >>> from sklearn_ext.bridge import make_entropic_ot
    >>> pair = make_entropic_ot(100, 100, random_state=0)
    >>> bridge = LightSchrodingerBridge(3, random_state=0).fit(pair.X, X_target=pair.Y)
    >>> show = SchrodingerBridgeDisplay.from_estimator(bridge, pair.X, pair.Y)
    """

    paths: np.ndarray = field(kw_only=False)
    times: np.ndarray = field(kw_only=False)
    target: np.ndarray | None = None
    means: np.ndarray | None = None
    ellipses: tuple | None = None
    labels: tuple = ("feature 0", "feature 1")

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        X_target=None,
        *,
        kind="paths",
        features="pca",
        n_rows=None,
        times=21,
        random_state=0,
        ax=None,
    ):
        """Draw paths from a fitted bridge and show them.

        Parameters
        ----------
        estimator : LightSchrodingerBridge
            A fitted bridge, or a Pipeline that ends in one: then ``X`` and ``X_target``
            have the columns that it takes, and its result is shown.
        X : array-like of shape (n_samples, n_features)
            Source rows, of which the first ``n_rows`` are shown.
        X_target : array-like of shape (m_samples, n_features) or None, default=None
            Target rows.
        kind : {"paths", "marginals", "components", "map"}, default="paths"
            Paths coloured by time; the population at five times beside the target;
            where each component sends its share of the source, an ellipse of two
            standard deviations whose line is as wide as the share is large; or arrows
            from x to where it is expected.
        features : tuple of int or str, or "pca", default="pca"
            Two features by number or by name, or the first two principal axes of the
            target when there are more than two.
        n_rows : int or None, default=None
            Source rows shown; None takes 30 for paths, which hide each other, and 200
            else. Of the target, and for the ellipses, five times as many are taken, by
            None 1000.
        times : int or array-like, default=21
            Times of the paths.
        random_state : int, RandomState, Generator or None, default=0
            Source of the paths.
        ax : matplotlib Axes or None, default=None
            Where to draw; not for ``kind="marginals"``, which makes its own.

        Returns
        -------
        SchrodingerBridgeDisplay
            The display, drawn.
        """
        user, wanted = f"{cls.__name__}.from_estimator", LightSchrodingerBridge
        estimator, tables, names = cls._innermost(estimator, X, X_target, wanted=wanted)
        # names of columns are checked once: what follows are bare arrays
        X, X_target = (
            None if table is None else estimator._asked(table, user)[1]
            for table in tables
        )
        times, plan = check_grid(times), estimator._plan
        n_many = 1000 if n_rows is None else 5 * n_rows
        if n_rows is None:
            n_rows = 30 if kind == "paths" else 200
        shown, many = X[:n_rows, :], X[:n_many, :]
        rows = to_numpy(X if X_target is None else X_target)
        project, labels = _plane(rows, features, names)
        paths = to_numpy(plan.sample_path(shown, times, random_state=random_state))
        centres, covariances, masses = _shares(plan, many)
        axes = project(np.eye(X.shape[1])) - project(np.zeros((1, X.shape[1])))
        display = cls(
            np.stack([project(paths[:, i]) for i in range(paths.shape[1])], axis=1),
            times,
            target=None if X_target is None else project(rows[:n_many]),
            means=project(to_numpy(plan.conditional_mean(shown))),
            ellipses=(project(centres), axes.T @ covariances @ axes, masses),
            labels=labels,
        )
        return display.plot(ax, kind=kind)

    @classmethod
    def from_predictions(cls, paths, times, *, target=None, kind="paths", ax=None):
        """Show paths in the plane that were drawn before.

        Parameters
        ----------
        paths : array-like of shape (n_samples, n_times, 2)
            Paths.
        times : array-like of shape (n_times,)
            Their times.
        target : array-like of shape (m_samples, 2) or None, default=None
            Target rows.
        kind : {"paths", "marginals"}, default="paths"
            What to draw.
        ax : matplotlib Axes or None, default=None
            Where to draw.

        Returns
        -------
        SchrodingerBridgeDisplay
            The display, drawn.
        """
        paths = np.asarray(paths, dtype=float)
        times = np.asarray(times, dtype=float)
        if paths.ndim != 3 or paths.shape[1:] != (*times.shape, 2):
            raise ValueError(
                "paths must have shape (n_samples, n_times, 2) and times shape "
                f"(n_times,), got {paths.shape} and {times.shape}."
            )
        target = None if target is None else np.asarray(target, dtype=float)
        return cls(paths, times, target=target).plot(ax, kind=kind)

    def plot(self, ax=None, *, kind="paths"):
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a figure.
        kind : {"paths", "marginals", "components", "map"}, default="paths"
            What to draw.

        Returns
        -------
        SchrodingerBridgeDisplay
            The display itself.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {list(KINDS)}, got {plain(kind)}.")
        needed = {"map": self.means, "components": self.ellipses}
        if kind in needed and needed[kind] is None:
            raise ValueError(f"kind={plain(kind)} needs a bridge: use from_estimator.")
        if kind == "marginals":
            return self._marginals()
        ax = self._axes(ax, figsize=(5.5, 4.5))
        self._clouds(ax)
        getattr(self, f"_{kind}")(ax)
        ax.set(xlabel=self.labels[0], ylabel=self.labels[1], aspect="equal")
        ax.legend(loc="best", fontsize="small")
        return self

    def _clouds(self, ax):
        start = self.paths[:, 0]
        ax.scatter(*start.T, s=8, c="0.55", label="source", zorder=1)
        if self.target is not None:
            marks = {"s": 8, "c": "C1", "marker": "^", "alpha": 0.35}
            ax.scatter(*self.target.T, label="target", zorder=1, **marks)

    def _paths(self, ax):
        from matplotlib.collections import LineCollection

        pieces = np.stack([self.paths[:, :-1], self.paths[:, 1:]], axis=2)
        lines = LineCollection(
            pieces.reshape(-1, 2, 2),
            array=np.tile((self.times[:-1] + self.times[1:]) / 2, len(self.paths)),
            cmap="viridis",
            linewidth=0.6,
            alpha=0.6,
            zorder=2,
        )
        lines.set_clim(self.times[0], self.times[-1])
        ax.add_collection(lines)
        ax.autoscale_view()
        # beside the axes and as tall, also where equal units make these narrower
        bar = ax.inset_axes([1.03, 0, 0.04, 1])
        self.figure_.colorbar(lines, cax=bar, ticks=self.times[[0, -1]])
        bar.set_title("time", fontsize="medium")  # a label at the side may be cut off

    def _map(self, ax):
        start = self.paths[:, 0]
        move = self.means - start
        style = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.003}
        ax.quiver(*start.T, *move.T, color="C0", alpha=0.7, zorder=2, **style)
        ax.scatter(*self.means.T, s=8, c="C0", label="expected T(x)", zorder=3)

    def _components(self, ax):
        from matplotlib.patches import Ellipse

        parts = zip(*self.ellipses, strict=True)
        for i, (centre, cov, mass) in enumerate(parts):
            values, vectors = np.linalg.eigh(cov)
            angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
            width, height = 4 * np.sqrt(np.clip(values[::-1], 0, None))
            style = {"fill": False, "edgecolor": "C0", "zorder": 2}
            style["linewidth"] = 0.4 + 4 * mass
            style["label"] = "mapped by a component, 2 sd" if i == 0 else None
            ax.add_patch(Ellipse(centre, width, height, angle=angle, **style))
        ax.autoscale_view()

    def _marginals(self):
        shown = np.linspace(0, len(self.times) - 1, min(5, len(self.times)))
        n_axes = len(shown) + (self.target is not None)
        figure, axes = self._pyplot().subplots(
            1,
            n_axes,
            figsize=(2.3 * n_axes, 2.6),
            sharex=True,
            sharey=True,
            layout="constrained",
            squeeze=False,
        )
        for ax, i in zip(axes[0], np.round(shown).astype(int), strict=False):
            ax.scatter(*self.paths[:, i].T, s=6, c="C0")
            ax.set(title=f"t = {self.times[i]:.2f}", xlabel=self.labels[0])
        if self.target is not None:
            chosen = self.target[: len(self.paths)]  # as many as on the other axes
            axes[0, -1].scatter(*chosen.T, s=6, c="C1", marker="^")
            axes[0, -1].set(title="target", xlabel=self.labels[0])
        axes[0, 0].set_ylabel(self.labels[1])
        self.ax_, self.figure_ = axes[0], figure
        return self


def _shares(plan, X):
    """Return mean, covariance and mass of what each component makes of its share."""
    law = plan.conditional(X)
    weights, means, inner = map(to_numpy, (law.weights, law.means, law.covariances))
    if inner.ndim == 2:  # variances: put them on diagonals
        inner = inner[:, :, None] * np.eye(means.shape[2])
    masses = weights.mean(axis=0)
    share = weights / np.clip(weights.sum(axis=0), np.finfo(float).tiny, None)
    centres = np.einsum("nk,nkd->kd", share, means)
    gaps = means - centres
    spread = np.einsum("nk,nkd,nke->kde", share, gaps, gaps, optimize=True)
    return centres, inner + spread, masses


def _plane(rows, features, names):
    """Return the projection to the plane that is shown, and names of its axes."""
    if features == "pca" and rows.shape[1] > 2:
        pca = PCA(2).fit(rows)
        return pca.transform, ("first principal axis", "second principal axis")
    known = [] if names is None else [str(name) for name in names]
    labels = known or [f"feature {j}" for j in range(rows.shape[1])]
    both = range(len(labels)), known  # columns go by number, and by name
    places = {plain(key): j for keys in both for j, key in enumerate(keys)}
    wanted = (0, 1) if features == "pca" else features
    chosen = [] if np.ndim(wanted) == 0 else [places.get(plain(key)) for key in wanted]
    if len(chosen) != 2 or None in chosen:
        named = f", by number or name out of {known}" if known else ""
        raise ValueError(
            f"features must be 'pca' or two columns out of {rows.shape[1]}{named}, got "
            f"{_told(features)}."
        )
    return (lambda rows: np.asarray(rows)[:, chosen]), tuple(labels[j] for j in chosen)


def _told(features):
    if np.ndim(features) == 0:
        return plain(features)
    return f"({', '.join(map(plain, features))})"
